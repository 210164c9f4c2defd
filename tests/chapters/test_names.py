"""Names and alphabets: standings, transfer, forecasts, and what the chapter shows of them."""

from math import comb, exp, isnan, log, nan

import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from lexurn import brief, models, runs
from lexurn.base.seeding import generator
from lexurn.chapters.names import forecasts, law, standings, summaries, transfer, unseen
from lexurn.measures import comparison, memorization
from lexurn.publish import claims
from lexurn.runs import sweeps

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 6}


def test_standings_from_stored_results_agree_with_the_models(tiny_run):
    run = tiny_run(TINY | {"n_names": 9, "n_alphabets": 3})
    (row,) = standings.standings([run]).to_dict("records")
    tokens, s = run.splits["in_distribution"], run.references["symmetrized"]

    as_trained = models.as_trained_predictor(run.model, seed=run.settings.training.seed)
    captured = memorization.captured(as_trained, s, run.pool, tokens)
    assert row["deficit"] == pytest.approx(log(1 - captured))
    new = models.as_trained_predictor(run.model, seed=0, new_tables=True)
    captured_new = memorization.captured(new, s, run.pool, tokens)
    assert row["deficit_new"] == pytest.approx(log(1 - captured_new))
    m = run.references["memorizing"]
    ends = {"generalizing": s, "memorizing": m}
    relative = comparison.relative_distance(
        as_trained, ends, tokens, generator=generator(0, "r"), memorizing="memorizing"
    )
    assert row["toward_m"] == pytest.approx(relative.interval.value)
    assert row["kl_to_s"] == pytest.approx(memorization.mean_kl(as_trained, s, tokens))


def test_steps_to_m_are_interpolated():
    metrics = pd.DataFrame({"step": [0, 10, 20], transfer.MEASURE: [0.5, 0.05, 0.0005]})
    assert transfer.first_step_below(metrics, 0.005) == pytest.approx(15)
    assert transfer.first_step_below(metrics, 1e-5) == float("inf")
    assert transfer.first_step_below(metrics, 1.0) == 0


def test_transfer_starts_from_another_urn_with_the_weights_of_the_origin():
    every = transfer.points([3])
    assert len(every) == 1 + 4 * len(transfer.TRAINABLE)
    origin = transfer.origin_settings("lexical", 3)
    assert every["lexical", "all", 3].training.init_from == origin.key
    assert origin.training.seed != every["lexical", "all", 3].training.seed


def test_every_forecast_has_a_number_and_every_number_a_forecast():
    """On made tables in which the deficit is ln K − 5 for every urn and cell."""
    grids = [f"names_{name}" for name in ("alphabets", "between", "controls", "vectors", "widths")]
    grids += [
        f"names_{name}" for name in ("three", "rivals", "tables", "long", "repeats", "blocks")
    ]
    tables = {}
    for grid in grids:
        sweep = sweeps.read(grid)
        cells = law.cells_of([point.name for point in sweep.points], sweep.coordinates)
        rows = []
        for point, cell in zip(sweep.points, cells, strict=True):
            has_law = grid in ("names_alphabets", "names_between") and law.is_random(cell)
            k = law.alphabets_of(cell)[1] if has_law else 20
            noise = 0.01 * (point.training.seed % 3)
            row = {
                "seed": point.training.seed,
                "cell": cell,
                "deficit": log(k) - 5 + noise * k**0.5,
            }
            rows.append(row | {"deficit_new": 0.0, "toward_m": noise})
        tables[grid] = pd.DataFrame(rows)
    transfers = pd.DataFrame(
        [
            {"origin": origin, "trainable": "all", "seed": seed, "steps": 50.0 + seed + number}
            for number, origin in enumerate(transfer.ORIGINS)
            for seed in range(6)
        ]
    )
    measured = forecasts.measurements(tables, transfers)
    assert measured.keys() == {key for key in claims.read() if key.startswith("names/")}
    for key, ours in measured.items():
        assert ours.n == claims.get(key).n, key
    assert measured["names/alphabets_at_32_names"].value == pytest.approx(log(512 / 8), abs=0.5)
    assert measured["names/alphabets_explain_more"].value > 0.5


def test_weights_of_a_lexical_model_start_a_normal_one(tiny_run):
    first = tiny_run(TINY | {"lex": True, "seed": 5})
    second = runs.get(TINY | {"init_from": first.settings.key, "trainable": "outside_backbone"})
    assert_close(second.model.backbone.state_dict(), first.model.backbone.state_dict())
    assert not torch.equal(second.model.start, first.model.start)


def test_missing_shares_are_geometric_means_over_urns_with_intervals():
    deficits = pd.DataFrame({"N4": [log(0.08), log(0.32), log(0.16)], "N8 all": [log(0.5)] * 3})
    table = summaries.shares(deficits).set_index("cell")
    assert table.loc["N4", "missing"] == pytest.approx(0.16)
    assert table.loc["N4", "low"] < 0.08 < 0.32 < table.loc["N4", "high"]
    assert table.loc["N8 all", "low"] == pytest.approx(0.5) == table.loc["N8 all", "high"]
    ratio = summaries.contrasts({"half": (deficits["N8 all"], deficits["N4"])}).iloc[0]
    assert ratio["factor"] == pytest.approx(0.5 / 0.16) and ratio["n"] == 3


def test_two_urns_have_no_error_and_no_interval():
    two, three = (pd.Series([0.0, 1.0, 2.0][:n]) for n in (2, 3))
    foretold = {name: pd.DataFrame({"N4": two + size}) for name, size in (("a", 1.0), ("b", 2.0))}
    errors = law.ratio_of_errors(foretold, pd.DataFrame({"N4": two * 0.5}), "a", "b")
    for found in (law.mean_over_urns(two), summaries.factor(two), errors):
        assert found.n == 2 and isnan(found.low) and isnan(found.error) and found.value > 0
    assert str(law.mean_over_urns(two)) == "0.5 [too few for an interval]"
    assert summaries.factor(three).low < summaries.factor(three).high  # the control
    assert law.mean_over_urns(three).error == pytest.approx(3**-0.5)


def test_gaps_are_paired_by_urn_and_leave_out_what_has_no_new_alphabets():
    seen = pd.DataFrame(
        {"N8 K4": [-2.0, -1.0, -3.0], "N8 all": [-1.0] * 3, "N16 groups": [0.0] * 3}
    )
    new = seen + pd.DataFrame(
        {"N8 K4": [1.0, 1.0, 1.0], "N8 all": [float("nan")] * 3, "N16 groups": [1.0] * 3}
    )
    random, groups = summaries.gaps(seen, new).to_dict("records")
    assert (random["cell"], random["alphabets"], random["per_name"]) == ("N8 K4", 4, 2.0)
    assert random["trained"] == pytest.approx(1 - comb(35, 4) / comb(70, 4))  # half of all sets
    assert (groups["names"], groups["per_name"], groups["trained"]) == ("groups, lines", 1.0, 1.0)
    assert (
        random["factor"] == pytest.approx(exp(1)) == random["factor_low"]
    )  # urns differ, the gap does not
    assert (random["seen"], random["new"]) == pytest.approx((exp(-2), exp(-1)))
    assert random["new_low"] < random["new"] < random["new_high"]


def test_numbers_have_three_digits_in_words():
    assert summaries.in_words(1.0, 0.9, 134.2) == "1.00 (0.900 to 134)"
    assert summaries.in_words(-0.5, nan, nan) == "−0.500"


def test_new_alphabets_of_trained_names_are_told_from_others(tiny_run):
    run = tiny_run(TINY | {"n_names": 20, "n_alphabets": 4, "n_steps": 60})
    (row,) = unseen.on_trained_names([run]).to_dict("records")
    assert 4 < row["n_trained"] == len(run.model.vocabulary.alphabets.unique()) < 16
    with torch.no_grad():  # a name that was not trained may be anything
        for name in set(range(20)) - set(run.model.vocabulary.alphabets.flatten().tolist()):
            run.model.vocabulary.names[name] *= 1000
    (same,) = unseen.on_trained_names([run]).to_dict("records")
    assert same == row
    with torch.no_grad():  # the control: a trained name counts
        run.model.vocabulary.names[run.model.vocabulary.alphabets[0, 0]] *= 1000
    (other,) = unseen.on_trained_names([run]).to_dict("records")
    assert other["deficit_trained"] != row["deficit_trained"]


def test_the_box_of_a_chapter_shows_what_it_is_given():
    box = brief(
        question="Is 1 < 2?", done="We look.", found=["a & b", "c"], sure="n = 1.", change="3."
    )
    assert "Is 1 &lt; 2?" in box.data and box.data.count("<li>") == 2
    assert 'class="brief admonition"' in box.data and "a &amp; b" in box.data
