"""Verdicts are tested by handing them exact predictors as the model, whose answer is known."""

import pytest
import torch

from lexurn import comparison, tasks
from lexurn.base.seeding import generator
from lexurn.predictors import Average, Generalizing, Memorizing, Uniform, cache_predictions
from lexurn.settings.resolver import check

OOD = "out_of_distribution"
ENDS = ("generalizing", "memorizing")


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 200})
    held = tasks.build(settings).held_out()
    return cache_predictions(
        tasks.build(settings).references() | {"uniform": Uniform(4)}, held
    ), held


def relative(predictor, scene, **options):
    references, held = scene
    return comparison.relative_distance(
        predictor, references, held[OOD], generator=generator(0, "test"), **options
    )


@pytest.mark.parametrize("memorizing", ["memorizing", "symmetrized"])
def test_the_relative_distance_is_0_for_the_generalizing_and_1_for_the_memorizing_predictor(
    scene, memorizing
):
    for name, wanted in (("generalizing", 0.0), (memorizing, 1.0)):
        found = relative(scene[0][name], scene, memorizing=memorizing)
        assert (found.interval.value + 1) / 2 == pytest.approx(wanted, abs=1e-12)
        assert not found.is_undetermined
        assert found.interval.low == pytest.approx(2 * wanted - 1) == found.interval.high
        assert found.interval.n == 200


def test_what_lies_between_has_an_interval_and_what_lies_beyond_is_not_clamped(scene):
    ends = scene[0]["generalizing"], scene[0]["memorizing"]
    average = Average(lambda tokens: torch.stack([end(tokens) for end in ends]))
    between = relative(average, scene)
    assert -1 < between.interval.low < between.interval.value < between.interval.high < 1
    assert 0.01 < between.interval.high - between.interval.low < 0.4
    assert relative(scene[0]["symmetrized"], scene).interval.value < -1


def test_references_that_nothing_separates_leave_it_undetermined(scene):
    references, held = scene
    same = references | {"memorizing": references["generalizing"]}
    found = comparison.relative_distance(
        references["symmetrized"], same, held[OOD], generator=generator(0, "test")
    )
    assert found.is_undetermined and str(found) == "undetermined"
    interval = relative(references["memorizing"], scene).interval
    at = [comparison.RelativeDistance(interval, apart, 0.01) for apart in (0.0195, 0.0205)]
    assert [each.is_undetermined for each in at] == [True, False]  # two standard errors
    few = {OOD: held[OOD][:4]}
    assert relative(references["memorizing"], (references, few)).is_undetermined


def test_relative_distance_averages_before_it_divides(scene):
    """By hand, from the distances that the table gives."""
    references, held = scene
    g, m = references["generalizing"], references["memorizing"]
    model = Generalizing(4, 2.0)
    to_g, to_m, apart = (
        comparison.mean_over_rows(comparison.distance(*pair, held[OOD])).mean().item()
        for pair in ((model, g), (model, m), (g, m))
    )
    assert relative(model, scene).interval.value == pytest.approx((to_g - to_m) / apart)


def test_the_nearest_is_named(scene):
    references, held = scene
    for name in references:
        text = comparison.describe(references[name], references, held)
        assert f"**The {name} predictor is nearest**" in text and text.count("nearest") == 1


def test_what_lies_midway_is_not_told_apart_and_what_is_far_from_all_is_no_match(scene):
    references, held = scene

    def midway(tokens):
        g, s = (references[name](tokens) for name in ("generalizing", "symmetrized"))
        odd = (tokens[:, :1] % 2 == 0)[:, None]
        return torch.cat([g[:, :1], torch.where(odd, g, s)[:, 1:]], 1)

    assert "**It is not clear whether " in comparison.describe(midway, references, held)
    near = comparison.describe(midway, references, held)
    far = comparison.describe(
        references["uniform"],
        {name: references[name] for name in ("generalizing", "symmetrized")},
        held,
    )
    assert "far from both" in far and "far from both" not in near
    single = comparison.describe(references["generalizing"], references, {OOD: held[OOD][:1]})
    assert "**It is not clear whether" in single


def test_an_unknown_split_is_named(scene):
    references, held = scene
    with pytest.raises(
        KeyError,
        match="split must be one of in_distribution, out_of_distribution, low_entropy, got 'other'",
    ):
        comparison.describe(references["memorizing"], references, held, split="other")


def test_words_say_that_symmetrized_was_left_out():
    settings = check({"n_colors": 15, "n_test_samples": 5})
    references, held = tasks.build(settings).references(), tasks.build(settings).held_out()
    assert "The symmetrized predictor is left out" in comparison.describe(
        Generalizing(15), references, held
    )


def test_words_for_a_pool_that_some_balls_cannot_come_from():
    """A pool without a colour is infinitely far from a model that expects it, and never nearest."""
    pool = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    tokens = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    references = {"generalizing": Generalizing(3), "memorizing": Memorizing(pool)}
    text = comparison.describe(Generalizing(3, 2.0), references, {"out_of_distribution": tokens})
    assert "infinite from the memorizing" in text and "Nearest" not in text
