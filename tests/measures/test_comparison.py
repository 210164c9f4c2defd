"""Verdicts are tested by handing them exact predictors as the model, whose answer is known."""

import itertools

import pandas as pd
import pytest
import torch

from lexurn import comparison, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.data.discrimination import ranking
from lexurn.chapters.evaluate import resemblance
from lexurn.models import build
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
    with pytest.raises(ValueError, match="all of 2 relative distances are undetermined"):
        resemblance.mean_over_runs([found, at[0]], generator=generator(0, "test"))


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


def test_along_training_it_is_computed_from_what_was_logged():
    metrics = pd.DataFrame({"step": [0, 5], "ood/symmetrized_kl/generalizing": [0.3, 0.1]})
    metrics["ood/symmetrized_kl/symmetrized"] = [0.1, 0.3]
    metrics["n_tables"] = [1, 8]
    found = resemblance.along_training(
        metrics, memorizing="symmetrized", reference_distance=0.4, split="ood"
    )
    assert found["relative_distance"].tolist() == pytest.approx([0.5, -0.5]) and found[
        "step"
    ].tolist() == [0, 5]
    assert found["n_tables"].tolist() == [1, 8]


def test_runs_count_as_units_and_undetermined_ones_are_left_out(scene):
    ends = [
        relative(scene[0][name], scene) for name in ("generalizing", "memorizing", "symmetrized")
    ]
    unclear = comparison.RelativeDistance(ends[0].interval, 0.0, 0.1)
    found = resemblance.mean_over_runs([*ends, unclear], generator=generator(0, "test"))
    assert found.n == 3 and found.value == pytest.approx(
        sum(each.interval.value for each in ends) / 3
    )
    assert "too few" in str(found)
    many = resemblance.mean_over_runs(2 * ends, generator=generator(0, "test"))
    assert many.n == 6 and many.low < many.value < many.high


def test_mixture_weights_of_an_exact_predictor_are_at_its_corner(scene):
    references, held = scene
    for name in references:
        table = resemblance.nearest_mixture(references[name], references, held[OOD][:40]).set_index(
            "reference"
        )
        assert table.loc[name, "weight"] == pytest.approx(1, abs=1e-3)
        assert table["weight"].sum() == pytest.approx(1) and (table["n"] == 40).all()


def test_the_weights_of_a_mixture_come_back_from_all_rows(scene):
    references, held = scene
    wanted = pd.Series({"generalizing": 0.5, "memorizing": 0.1, "symmetrized": 0.3, "uniform": 0.1})

    def mixed(tokens):
        return (
            torch.stack(
                [references[name](tokens).exp() * weight for name, weight in wanted.items()]
            )
            .sum(0)
            .log()
        )

    def in_halves(tokens):
        late = (torch.arange(tokens.shape[1]) > 16)[:, None]
        return torch.where(
            late, references["symmetrized"](tokens), references["generalizing"](tokens)
        )

    found = resemblance.nearest_mixture(mixed, references, held[OOD]).set_index("reference")
    assert found["weight"][wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-4)
    found = resemblance.nearest_mixture(in_halves, references, held[OOD][:40]).set_index(
        "reference"
    )["weight"]
    assert found["generalizing"] > 0.1 and found["symmetrized"] > 0.1


def test_the_jackknife_of_the_weights_is_what_they_vary_by(scene):
    """The model blends G and U differently in every sequence; compare over many sets."""
    two = {"generalizing": Generalizing(4), "uniform": Uniform(4)}

    def blend(tokens):
        share = (
            tokens[:, :1, None] + 1
        ) / 5  # what row 0 may not see: so the model is handed over by its parts
        return (
            share * two["generalizing"](tokens).exp() + (1 - share) * two["uniform"](tokens).exp()
        ).log()

    tokens = scene[1][OOD][:, :12].repeat(6, 1)
    tokens = tokens[torch.randperm(1200, generator=generator(0, "order"))]
    found = pd.concat(resemblance.nearest_mixture(blend, two, part) for part in tokens.split(30))
    of = found[found["reference"] == "uniform"]
    assert 0.6 < of["sem"].mean() / of["weight"].std() < 1.6 and of["weight"].std() > 0.01


def test_a_weight_at_the_boundary_has_no_error(scene):
    references, held = scene
    table = resemblance.nearest_mixture(references["generalizing"], references, held[OOD][:20])
    assert (table["sem"].isna() == (table["weight"] < resemblance.BOUNDARY)).all() and table[
        "sem"
    ].isna().sum() == 3


def test_names_count_for_the_memorizing_predictor_alone(scene):
    references, held = scene

    def found(predictor):
        rows = resemblance.relabelling(
            predictor, held[OOD], vocab_size=4, generator=generator(0, "test")
        )
        return comparison.mean_over_rows(rows).mean().item()

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
    tokens = tasks.build(settings).prior.out_of_distribution(
        10, 13, generator=generator(0, "tokens")
    )

    def found(tables):
        predictor = Average(
            lambda tokens: torch.stack([model(tokens, table=table) for table in tables.split(1)])
        )
        rows = resemblance.relabelling(
            predictor, tokens, vocab_size=4, generator=generator(0, "test")
        )
        return rows.mean().item()

    assert found(tables) == pytest.approx(0, abs=1e-12) and found(tables[:8]) > 1e-5


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


def test_values_are_ranked_as_far_as_they_are_told_apart():
    noise = torch.randn(50, generator=generator(0, "noise"))
    values = {"b": 1 + noise, "c": 1.001 + noise.flip(0), "a": noise - 5}
    assert ranking(values) in ("a < b ≈ c", "a < c ≈ b")


def test_the_nearest_is_told_row_by_row(scene):
    references, held = scene

    def changing(tokens):
        late = (torch.arange(tokens.shape[1]) > 9)[:, None]
        return torch.where(
            late, references["memorizing"](tokens), references["generalizing"](tokens)
        )

    text = resemblance.nearest_by_row(changing, references, held[OOD])
    assert text == "generalizing at rows 1 to 9, memorizing at rows 10 to 32"


def test_what_separates_the_references_is_told(scene):
    text = comparison.describe_scale({name: scene[0][name] for name in ENDS}, scene[1][OOD])
    assert text.startswith("For scale, the distances are 0.5")
    assert text.endswith(" between generalizing and memorizing.")
    assert comparison.describe_scale({"generalizing": Generalizing(4)}, scene[1][OOD]) == ""


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
