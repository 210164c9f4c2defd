"""Verdicts are tested by handing them exact predictors as the model, whose answer is known."""

import functools
import itertools

import pandas as pd
import pytest
import torch

from lexurn import comparison, experiment
from lexurn.models import build
from lexurn.parameters import check
from lexurn.predictors import Average, Generalizing, Memorizing, Uniform, remembered
from lexurn.seeding import generator

OOD = "out_of_distribution"


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 200})
    pool = experiment.training_pool(settings)
    held = experiment.held_out(settings, pool)
    return remembered(experiment.references(settings, pool) | {"uniform": Uniform(4)}, held), held


def relative(predictor, scene, **options):
    references, held = scene
    return comparison.relative_distance(predictor, references, held[OOD], generator=generator(0, "test"), **options)


@pytest.mark.parametrize("memorizing", ["memorizing", "symmetrized"])
def test_the_relative_distance_is_0_for_the_generalizing_and_1_for_the_memorizing_predictor(scene, memorizing):
    for name, wanted in (("generalizing", 0.0), (memorizing, 1.0)):
        found = relative(scene[0][name], scene, memorizing=memorizing)
        assert found.rescaled == pytest.approx(wanted, abs=1e-12) and not found.undetermined
        assert found.interval.low == pytest.approx(2 * wanted - 1) == found.interval.high
        assert found.interval.n == 200


def test_what_lies_between_has_an_interval_and_what_lies_beyond_is_not_clamped(scene):
    between = relative(Average([scene[0]["generalizing"], scene[0]["memorizing"]]), scene)
    assert -1 < between.interval.low < between.interval.value < between.interval.high < 1
    assert 0.01 < between.interval.high - between.interval.low < 0.4
    assert relative(scene[0]["symmetrized"], scene).interval.value < -1


def test_references_that_nothing_separates_leave_it_undetermined(scene):
    references, held = scene
    same = references | {"memorizing": references["generalizing"]}
    found = comparison.relative_distance(references["symmetrized"], same, held[OOD], generator=generator(0, "test"))
    assert found.undetermined and str(found) == "undetermined"
    noisy = comparison.RelativeDistance(relative(references["memorizing"], scene).interval, 0.01, 0.006)
    assert noisy.undetermined and not relative(references["memorizing"], scene).undetermined
    with pytest.raises(ValueError, match="all of 2 relative distances are undetermined"):
        comparison.over_runs([found, noisy], generator=generator(0, "test"))


def test_runs_count_as_units_and_undetermined_ones_are_left_out(scene):
    ends = [relative(scene[0][name], scene) for name in ("generalizing", "memorizing", "symmetrized")]
    unclear = comparison.RelativeDistance(ends[0].interval, 0.0, 0.1)
    found = comparison.over_runs([*ends, unclear], generator=generator(0, "test"))
    assert found.n == 3 and found.value == pytest.approx(sum(each.interval.value for each in ends) / 3)
    assert found.low < found.value < found.high
    single = comparison.over_runs(ends[:1], generator=generator(0, "test"))
    assert single.n == 1 and "no interval" in str(single)


def test_mixture_weights_of_an_exact_predictor_are_at_its_corner(scene):
    references, held = scene
    for name in references:
        table = comparison.mixture(references[name], references, held[OOD][:40]).set_index("reference")
        assert table.loc[name, "weight"] == pytest.approx(1, abs=1e-3)
        assert table["weight"].sum() == pytest.approx(1) and (table["n"] == 40).all()


def test_the_weights_of_a_mixture_come_back_with_an_error_that_covers_what_noise_does(scene):
    references, held = scene
    wanted = pd.Series({"generalizing": 0.5, "memorizing": 0.1, "symmetrized": 0.3, "uniform": 0.1})

    def mixed(tokens, noise=0.0):
        parts = torch.stack([references[name](tokens).exp() * weight for name, weight in wanted.items()]).sum(0)
        noise = noise * torch.randn(parts.shape, generator=generator(1, "noise"), dtype=torch.float64)
        return (parts.log() + noise).log_softmax(-1)

    found = comparison.mixture(mixed, references, held[OOD]).set_index("reference")
    assert found["weight"][wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-4)
    noisy = comparison.mixture(lambda tokens: mixed(tokens, 0.3), references, held[OOD]).set_index("reference")
    assert (noisy["sem"] > 10 * found["sem"]).all()
    off = (noisy["weight"] - wanted).abs()
    assert off["symmetrized"] < 4 * noisy["sem"]["symmetrized"] + 0.1


def test_names_count_for_the_memorizing_predictor_alone(scene):
    references, held = scene

    def found(predictor):
        rows = comparison.relabelling(predictor, held[OOD], vocab_size=4, generator=generator(0, "test"))
        return comparison.over_rows(rows).mean().item()

    assert found(references["generalizing"]) == pytest.approx(0, abs=1e-12)
    assert found(references["symmetrized"]) == pytest.approx(0, abs=1e-12)
    assert found(references["memorizing"]) > 0.1
    biased = Generalizing(4, [1.3, 1.0, 1.0, 1.0])
    assert 1e-4 < found(biased) < 0.1


def test_a_lexical_model_averaged_over_all_tables_knows_no_names_and_over_a_few_it_does():
    """There are 4! one-hot tables at d_model = 4."""
    settings = check({"lex": True, "d_model": 4, "context_length": 12})
    model = build(settings, generator=generator(0, "weights")).eval().double().requires_grad_(False)
    tables = torch.eye(4, dtype=torch.float64)[torch.tensor(list(itertools.permutations(range(4))))]
    tokens = experiment.urns(settings).out_of_distribution(10, 13, generator=generator(0, "tokens"))

    def found(tables):
        predictor = Average([functools.partial(model, table=table) for table in tables.split(1)])
        rows = comparison.relabelling(predictor, tokens, vocab_size=4, generator=generator(0, "test"))
        return rows.mean().item()

    assert found(tables) == pytest.approx(0, abs=1e-12) and found(tables[:8]) > 1e-5


def test_the_nearest_is_named(scene):
    references, held = scene
    for name in references:
        text = comparison.describe(references[name], references, held)
        assert f"**Nearest is the {name} predictor**" in text and text.count("Nearest") == 1


def test_equally_near_references_are_called_so(scene):
    references, held = scene

    def midway(tokens):
        g, s = (references[name](tokens) for name in ("generalizing", "symmetrized"))
        odd = (torch.arange(len(tokens)) % 2 == 0)[:, None, None]
        return torch.where(odd, g, s)

    assert "**Equally near are" in comparison.describe(midway, references, held)


def test_an_unknown_split_is_named(scene):
    references, held = scene
    with pytest.raises(
        KeyError, match="no split named other; there are in_distribution, out_of_distribution, low_entropy"
    ):
        comparison.describe(references["memorizing"], references, held, split="other")


def test_words_say_that_symmetrized_was_left_out():
    settings = check({"n_colors": 13, "n_test_samples": 5})
    pool = experiment.training_pool(settings)
    references, held = experiment.references(settings, pool), experiment.held_out(settings, pool)
    assert "The symmetrized predictor is left out" in comparison.describe(Generalizing(13), references, held)


def test_words_for_a_pool_that_some_balls_cannot_come_from():
    """An urn without a colour is infinitely far from whoever expects that colour, and never nearest."""
    pool = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    tokens = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    references = {"generalizing": Generalizing(3), "memorizing": Memorizing(pool)}
    text = comparison.describe(Generalizing(3, 2.0), references, {"out_of_distribution": tokens})
    assert "infinite from the memorizing" in text and "Nearest" not in text
