"""Evaluation is tested by handing it exact predictors as the model."""

import pytest
import torch

from lexurn import divergences, evaluation, experiment
from lexurn.parameters import check
from lexurn.predictors import Generalizing


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 200})
    pool = experiment.training_pool(settings)
    return experiment.references(settings, pool), experiment.held_out(settings, pool)


def distance(table, reference, *, split="out_of_distribution", row="mean", measure="symmetrized_kl"):
    return evaluation.select(table, split=split, measure=measure, row=row).loc[reference]


@pytest.mark.parametrize("who", ["generalizing", "memorizing", "symmetrized"])
def test_an_exact_predictor_is_at_no_distance_from_itself_and_at_some_from_the_others(scene, who):
    references, held = scene
    table = evaluation.evaluate(references[who], held)
    for name in references:
        for measure in ("symmetrized_kl", "kl", "regret"):
            found = distance(table, name, measure=measure)
            if name == who:
                assert found["mean"] == pytest.approx(0, abs=1e-12) and found["sem"] == pytest.approx(0, abs=1e-12)
            else:
                assert abs(found["mean"]) > 2 * found["sem"] > 0
    assert evaluation.describe(references[who], held).count(f"**Nearest is the {who} predictor**") == 1


def test_a_biased_copy_is_found_out(scene):
    references, held = scene
    table = evaluation.evaluate(Generalizing(4, 1.2), held)
    found = distance(table, "generalizing")
    assert 0 < found["mean"] < 0.01 and found["mean"] > 6 * found["sem"]


def test_the_table_is_the_average_over_sequences_row_by_row(scene):
    references, held = scene
    table = evaluation.evaluate(references["memorizing"], held, step=7)
    split = next(each for each in held if each.name == "out_of_distribution")
    values = divergences.symmetrized_kl(split.references["generalizing"], split.references["memorizing"])
    for row, wanted in (
        ("0", values[:, 0]),
        ("13", values[:, 13]),
        ("last", values[:, 32]),
        ("mean", values[:, 1:].mean(1)),
    ):
        found = distance(table, "generalizing", row=row)
        assert found["mean"] == pytest.approx(wanted.mean().item())
        assert found["sem"] == pytest.approx((wanted.std() / 200**0.5).item())
        assert found["n"] == 200
    assert set(table["step"]) == {7}
    assert list(table.columns) == ["step", "split", "row", "reference", "measure", "mean", "sem", "n"]


def test_loss_of_the_memorizing_predictor_is_the_entropy_of_its_urn(scene):
    """In distribution with one urn, the loss per ball is the urn's entropy, within six standard errors."""
    references, held = scene
    found = distance(evaluation.evaluate(references["memorizing"], held), "", split="in_distribution", measure="loss")
    entropy = divergences.entropy(references["memorizing"].urns.log()).item()
    assert abs(found["mean"] - entropy) < 6 * found["sem"]


def test_one_sequence_lists_every_predictor_row_and_color(scene):
    references, held = scene
    table = evaluation.on_one_sequence(references, held)
    assert len(table) == 3 * 33 * 4
    sums = table.groupby(["predictor", "row"])["probability"].sum()
    assert sums.to_numpy() == pytest.approx(1)
    tokens = next(each.tokens for each in held if each.name == "out_of_distribution")[0]
    assert table.drop_duplicates("row").sort_values("row")["ball"].tolist() == tokens.tolist()


def test_models_with_equal_task_and_seed_are_compared_on_the_same_sequences():
    normal, lexical, other = (check(flat) for flat in ({}, {"lex": True, "n_steps": 5}, {"seed": 1}))
    tokens = [experiment.held_out(s, experiment.training_pool(s))[0].tokens for s in (normal, lexical, other)]
    assert tokens[0].equal(tokens[1]) and not tokens[0].equal(tokens[2])


def test_infinitely_many_urns_leave_only_the_generalizing_reference():
    settings = check({"n_tasks": 0, "n_test_samples": 10})
    assert experiment.training_pool(settings) is None
    held = experiment.held_out(settings, None)
    assert [split.name for split in held] == ["out_of_distribution", "low_entropy"]
    assert list(held[0].references) == ["generalizing"]
    assert "from the generalizing predictor" in evaluation.describe(Generalizing(4, 2.0), held)


def test_symmetrized_is_left_out_where_it_is_out_of_reach():
    for flat, there in (({"n_colors": 8, "n_tasks": 64}, True), ({"n_colors": 8, "n_tasks": 65}, False)):
        settings = check(flat)
        assert ("symmetrized" in experiment.references(settings, experiment.training_pool(settings))) == there


def test_equally_near_references_are_called_so(scene):
    references, held = scene
    split = next(each for each in held if each.name == "out_of_distribution")

    def midway(tokens):
        g, s = (references[name](tokens) for name in ("generalizing", "symmetrized"))
        odd = (torch.arange(len(tokens)) % 2 == 0)[:, None, None]
        return torch.where(odd, g, s)

    assert "**Equally near are" in evaluation.describe(midway, [split])


@pytest.mark.parametrize(
    ("mean", "sem", "text"),
    [
        (0.02163, 0.000612, "0.02163 ± 0.00061"),
        (0.5499, 0.0139, "0.550 ± 0.014"),
        (12.345, 3.2, "12.35 ± 3.20"),
        (0.000214, 0.0000119, "0.000214 ± 0.000012"),
        (0.0, 0.0, "0 ± 0"),
        (float("inf"), float("nan"), "inf ± nan"),
    ],
)
def test_numbers_are_written_to_the_second_digit_of_their_error(mean, sem, text):
    assert evaluation.with_error(mean, sem) == text
