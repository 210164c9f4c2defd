"""Defects of the rules: each shows in its own number, and is gone in ours."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn.chapters.originals import (
    batch_axis,
    brackets,
    descriptions,
    epoch_schedule,
    length_limit,
    looks,
    pad_loss,
    pseudo_kl,
    same_data,
    transposed_mask,
)
from lexurn.chapters.rules import languages
from lexurn.chapters.rules.programs import PROGRAMS, Program
from lexurn.measures.rules import MAIN_MEASURE, prompt_sets
from lexurn.settings.resolver import check

STRINGS = check({"language": "aNbN", "context_length": 16, "n_steps": 3, "n_test_samples": 20})


def test_with_sines_along_the_batch_a_prediction_depends_on_its_place():
    table = batch_axis.by_place(STRINGS, 5)
    places = table.groupby("version", sort=False)["next_b"]
    published, ours = places.agg(lambda values: values.max() - values.min())
    assert published > 1e-4 > 1e-6 > ours
    assert table["exact"].tolist() == pytest.approx([1 / 5] * 10)  # of 4 … 8 pairs, one ends here


def test_with_sines_along_the_batch_one_layer_sees_a_set_of_letters():
    (row,) = batch_axis.order_blindness(STRINGS).itertuples()
    assert row.published < 1e-6 < 1e-4 < row.corrected


def test_the_transposed_mask_listens_to_the_target_and_the_future_alone():
    table = transposed_mask.dependence(6, 0)
    for model, is_right in (("as published", False), ("causal", True)):
        rows = table[(table["model"] == model) & (table["value"] > 0)]
        assert ((rows["input"] <= rows["row"]).all()) == is_right
        assert ((rows["input"] >= rows["row"]).all()) != is_right
    shares = transposed_mask.future_share(table)
    assert shares["as published"] > 0.5 and shares["causal"] == 0


def test_the_best_of_noise_is_exact_and_one_look_has_no_gain():
    table = looks.best_of_noise(0.3, 50, [1, 2, 20]).set_index("looks")["mean"]
    assert table[1] == pytest.approx(0.3)
    draws = np.random.default_rng(0).binomial(50, 0.3, (20_000, 20)) / 50
    for k in (2, 20):
        assert table[k] == pytest.approx(draws[:, :k].max(1).mean(), abs=0.002)


def rates():
    """One model: half of the prompts end at the chosen step, and all that end keep rule 1."""
    rows = []
    for step, of_finished, of_all in ((1, 0.2, 0.2), (2, 1.0, 0.5), (3, 0.4, 0.4)):
        for measure, value in (("rule_1_of_finished", of_finished), (MAIN_MEASURE, of_all)):
            rows.append((step, step == 3, measure, value))
            rows.append((step, False, measure, value))
    table = pd.DataFrame(rows, columns=["step", "best", "measure", "value"]).drop_duplicates()
    return table.assign(
        decoding="greedy", prompts="out_of_distribution", language="aNbN", model="m", seed=0
    )


def test_the_best_of_all_looks_is_not_the_rate_at_a_chosen_step():
    (pair,) = looks.best_pairs(rates()).itertuples()
    assert (pair.published, pair.corrected) == (1.0, 0.4)
    along = looks.best_of_models(rates()).set_index("looks")["mean"]
    assert along[1] == pytest.approx(1.6 / 3) and along[3] == 1.0
    constant = rates().assign(value=0.4)
    (pair,) = looks.best_pairs(constant).itertuples()
    assert pair.published == pair.corrected == 0.4  # the control: nothing varies


def test_a_share_of_finished_completions_is_larger_where_few_end():
    chosen = rates().replace({"step": {3: 2}}).query("step == 2")
    chosen = chosen[~((chosen["value"] == 0.4) & chosen["best"])].assign(best=True)
    chosen = chosen.drop_duplicates(["measure"])
    (pair,) = looks.finished_pairs(chosen).itertuples()
    assert (pair.published, pair.corrected) == (1.0, 0.5)


def test_the_exact_law_has_divergence_zero_but_not_by_the_published_formula():
    entropies = languages.entropies(["aNbN", "baN"], 32)
    pairs = pseudo_kl.of_exact_law(entropies).set_index("unit")["published"]
    assert pairs["aNbN"] == pytest.approx(np.log(16) / 33 - np.log(16) / 16) and pairs["aNbN"] < 0
    assert pairs["baN"] > 0.1
    at_256 = languages.entropies(["aNbN"], 256)["original"].item()
    assert pseudo_kl.published_kl(at_256, 256) == pytest.approx(
        0.01888 - np.log(128) / 128, abs=1e-5
    )


def test_padding_makes_losses_small_where_strings_are_short():
    entropies = languages.entropies(["aNbN", "dyck"], 32)
    pairs = pad_loss.pairs(entropies).set_index("unit")
    ratios = pairs["corrected"] / pairs["published"]
    shares = pad_loss.pad_shares(32, 400, 0)
    for name in ("aNbN", "dyck"):
        assert ratios[name] == pytest.approx(1 / (1 - shares[name]), rel=0.1)
    assert ratios["dyck"] > 1.3 * ratios["aNbN"]
    assert pad_loss.pad_share(torch.ones(2, 3, dtype=torch.int64)) == 0


def test_every_validation_string_was_trained_on_unless_some_are_kept_from_it():
    kept = check({"language": "baN", "unseen": 0.3, "context_length": 12})
    (pair,) = same_data.pairs(check({"language": "aNbN"}), kept, 500).itertuples()
    assert pair.published == 1 and pair.corrected == 0


def test_one_condition_is_always_true_and_the_other_never():
    assert length_limit.replaces_limit("transformer") and length_limit.replaces_limit("linear")
    finished = torch.ones(3, dtype=torch.bool)
    assert torch.all(finished) and not length_limit.stops_early(finished)


def test_a_completion_is_as_long_as_it_needs_and_no_longer_than_its_limit():
    program = Program(2, 16, **PROGRAMS["by last letter, by surplus"])
    prompts = prompt_sets("aNbN")["out_of_distribution"][:20]
    pairs = length_limit.pairs(program, prompts, limit=4, longest=256)
    assert (pairs["published"] == 248).all() and pairs["corrected"].between(1, 4).all()
    longer = length_limit.pairs(program, prompts, limit=40, longest=256)
    assert longer["corrected"].max() > 4


def test_a_schedule_by_epochs_is_that_of_steps_only_with_one_batch_an_epoch():
    factor = epoch_schedule.rate_factor
    assert factor(500, 1000) == 0.5 and factor(1000, 1000) == 1 and factor(4000, 1000) == 0.5
    same = epoch_schedule.pairs(3000, warmup=1000, steps_per_epoch=1)
    other = epoch_schedule.pairs(3000, warmup=1000, steps_per_epoch=100)
    assert same["published"].item() == same["corrected"].item() > 10 * other["published"].item()


def test_sizes_are_counted():
    assert descriptions.lstm_weights() == 2_963_655
    assert descriptions.linear_weights(5, 33) == 697_765
    assert descriptions.linear_weights(7, 33) == 976_871
    growth = descriptions.weight_growth([9, 33])
    assert growth["corrected"].iloc[1] > 3 * growth["published"].iloc[1]


def test_only_a_bidirectional_lstm_depends_on_the_future():
    assert descriptions.future_dependence(True) > 1e-3
    assert descriptions.future_dependence(False) == 0


def test_a_norm_after_the_sum_makes_all_token_norms_equal():
    spread = {name: descriptions.stream_norm(name) for name in ("pre", "post", "peri")}
    assert spread["post"] < 1e-5 < 0.01 < min(spread["pre"], spread["peri"])


def test_the_published_sampler_has_one_string_and_ours_many():
    (pair,) = brackets.pairs(100, max_length=16, seed=0).itertuples()
    assert pair.published == 1 and pair.corrected > 10


def test_the_sampled_lead_is_of_all_prompts_at_the_chosen_step():
    kinds = itertools.product(
        (True, False),
        ("out_of_distribution", "in_distribution"),
        ("sampled", "greedy"),
        (MAIN_MEASURE, "rule_1_of_finished"),
    )
    values = {(0, "a"): 0.5, (0, "b"): 0.2, (1, "a"): 0.6, (1, "b"): 0.2}
    rows = [(*key, *kind, value) for kind in kinds for key, value in values.items()]
    names = ["seed", "model", "best", "prompts", "decoding", "measure", "value"]
    rates = pd.DataFrame(rows, columns=names)
    is_asked = rates["best"] & (rates["prompts"] == "out_of_distribution")
    is_asked &= (rates["decoding"] == "sampled") & (rates["measure"] == MAIN_MEASURE)
    rates.loc[~is_asked, "value"] = 99.0  # nothing else may count
    assert looks.sampled_lead(rates, "a", "b").tolist() == pytest.approx([0.3, 0.4])
