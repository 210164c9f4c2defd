"""Defects of the urns: each shows in its own number, and is gone in ours."""

from math import log

import pandas as pd
import pytest
import torch

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.originals import (
    clamping,
    lexical_mode,
    one_more_ball,
    recipe,
    spreads,
    table_draws,
    untrained_row,
)
from lexurn.generators.urns import Urns
from lexurn.measures import comparison
from lexurn.predictors import Empirical, Generalizing, Memorizing
from lexurn.runs import sweeps
from lexurn.settings.resolver import check

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "d_model": 16, "context_length": 31}


def sequences(n_balls=30):
    return comparison.headline_sequences(
        Urns(4), n_balls=n_balls, n_urns=10, n_sequences=4, generator=generator(0, "test")
    )


def test_only_the_untrained_position_changes_and_only_predictions_that_read_it():
    model = models.build(check(TINY), generator=generator(0, "weights")).eval()
    changed = untrained_row.with_untrained_position(model, 29, seed=1)
    assert [i for i in range(31) if (model.positions[i] != changed.positions[i]).any()] == [29]
    tokens = sequences()
    with torch.no_grad():
        difference = (model(tokens) - changed(tokens)).abs().amax((0, 2))
    assert (difference[:30] == 0).all() and difference[30] > 1e-4
    plain = models.build(check(TINY | {"positions": "none"}), generator=generator(0, "weights"))
    with pytest.raises(ValueError, match="learned"):
        untrained_row.with_untrained_position(plain, 29, seed=1)


def test_the_training_of_30_balls_leaves_the_position_of_the_last_without_a_gradient():
    """What the defect is: the loss of 30 balls does not depend on the position of the 30th."""
    model = models.build(check(TINY), generator=generator(0, "weights"))
    tokens = sequences()[:, :30]
    loss = -model(tokens).gather(-1, tokens[..., None]).mean()
    (gradient,) = torch.autograd.grad(loss, model.positions)
    assert (gradient[:29].abs().amax(1) > 0).all() and (gradient[29:] == 0).all()


def test_frequencies_score_zero_unless_they_are_shifted_by_a_ball():
    tokens, repeats = sequences(), Empirical(4)
    assert comparison.headline_scores(repeats, tokens).abs().max() == 0
    shifted = one_more_ball.shifted_scores(repeats, tokens)
    assert shifted.min() > 0 and shifted.isfinite().all()
    table = one_more_ball.scores(2, 0)
    assert set(table["predictor"]) == {*one_more_ball.REFERENCES}
    assert table["published"].sub(table["corrected"]).abs().max() < 0.02


def test_only_vectors_of_the_published_size_start_certain_and_wrong():
    losses = lexical_mode.initial_losses([32], 2).groupby("version", sort=False)["loss"].mean()
    *others, published = losses
    assert max(others) < 2 * log(4) < 5 < published
    pairs = lexical_mode.loss_pairs(lexical_mode.initial_losses([16, 32], 2), 32)
    assert (pairs["published"] > pairs["corrected"] + 5).all() and len(pairs) == 2


def test_unseeded_tables_move_a_score_and_seeded_ones_do_not(tiny_run):
    run = tiny_run(TINY | {"lex": True})
    pairs = table_draws.score_ranges([run], 3)
    assert pairs["published"].item() > 1e-6 and pairs["corrected"].item() == 0
    normal = table_draws.score_ranges([tiny_run(TINY)], 3)  # the control: nothing is drawn
    assert normal["published"].item() == 0


def test_sequences_of_an_urn_are_not_independent_but_urns_are():
    table = spreads.experiments(3, 12, 0)
    covered = spreads.coverage(table)
    assert covered["published"].mean() < 0.7 < covered["corrected"].mean()
    sd_of = spreads.summary(table).set_index("of")["value"]
    assert sd_of[spreads.SPREADS[0]] > sd_of[spreads.SPREADS[2]] > 2 * sd_of[spreads.SPREADS[1]]
    independent = table.assign(mean=table.groupby("urn")["mean"].transform("mean"))
    assert spreads.coverage(independent)["published"].min() == 1  # the control


def test_a_value_that_is_cut_off_hides_that_s_is_beyond_the_end():
    pairs = clamping.of_symmetrized(10, 16, 0)
    is_cut = pairs["published"] != pairs["corrected"]
    assert (pairs.loc[is_cut, "published"] == -1).all() and 0 < is_cut.sum() < 10
    assert pairs["corrected"].min() < -1.05
    pool = Urns(4).sample_tasks(1, generator=generator(0, "pool"))
    ends = Generalizing(4), Memorizing(pool)
    values = [clamping.relative_distance(end, *ends, sequences()) for end in ends]
    assert values == pytest.approx([-1, 1])  # the ends themselves are where they belong
    assert [clamping.clamp(value) for value in (-3.0, 0.2, 7.0)] == [-1.0, 0.2, 1.0]
    curves = clamping.sorted_curves(pairs)
    assert (
        curves.groupby("who")["relative_distance"].apply(lambda v: v.is_monotonic_increasing).all()
    )


def test_what_the_recipe_has_trained_is_counted_and_nothing_is_trained(tiny_run, store):
    points = sweeps.read("originals_headline").points
    assert recipe.progress(points).startswith("None of the 6 models")
    assert recipe.stored_runs(points) == []
    assert not any(path.name.startswith("urns") for path in store.glob("*"))


def test_a_recipe_model_is_scored_at_its_last_trained_row_and_one_further(tiny_run):
    run = tiny_run(TINY | {"context_length": 12, "lex": True, "vocabulary": "original"})
    longer = recipe.with_one_more_position(run)
    assert longer.positions.shape[0] == 13 and (longer.positions[:12] == run.model.positions).all()
    tokens = sequences(13)
    table = run.model.vocabulary.draw(len(tokens), generator=generator(0, "tables"))
    with torch.no_grad():
        further, trained = (model(tokens[:, :-1], table=table) for model in (longer, run.model))
        torch.testing.assert_close(further, trained)
    scored = recipe.scores(run)
    assert len(scored) == 1 and scored["published"].item() != scored["corrected"].item()
    by_reference = scored[["generalizing", "symmetrized", "memorizing"]].iloc[0]
    assert by_reference.is_monotonic_increasing and scored["to_counter"].item() > 0
    shown = recipe.who_scored(scored).set_index("who")["mean"]
    assert shown["original tables"] == scored["published"].item() and len(shown) == 4
    curves = recipe.along([run])
    to_s = run.metrics["out_of_distribution/symmetrized_kl/symmetrized"].tolist()
    assert curves.loc[curves["who"] == "symmetrized", "distance"].tolist() == to_s
    assert set(curves["who"]) == {"generalizing", "symmetrized"}
    assert curves["sem"].isna().all()  # one seed has no error
    falls = recipe.late_falls([run])  # evaluations at steps 0, 3 and 6: from step 3 to the end
    assert falls["symmetrized"].tolist() == [to_s[1] / to_s[2]]
    both = [run.settings, run.settings.replace(seed=1)]
    assert (
        recipe.progress(both)
        == "1 of the 2 models of the published recipe have been trained so far."
    )
    assert isinstance(scored, pd.DataFrame)
