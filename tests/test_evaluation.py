"""Evaluation is tested by handing it exact predictors as the model."""

import pytest
import torch

from lexurn import divergences, evaluation, experiment
from lexurn.parameters import check
from lexurn.predictors import Generalizing, Memorizing


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
    at_scale = {"n_colors": 8, "context_length": 127, "n_test_samples": 500}
    for flat, there in (
        ({**at_scale, "n_tasks": 16}, True),
        ({**at_scale, "n_tasks": 256}, False),
        ({"n_colors": 13, "n_test_samples": 2}, False),
    ):
        settings = check(flat)
        assert ("symmetrized" in experiment.references(settings, experiment.training_pool(settings))) == there


def test_words_say_that_symmetrized_was_left_out():
    settings = check({"n_colors": 13, "n_test_samples": 5})
    held = experiment.held_out(settings, experiment.training_pool(settings))
    assert "The symmetrized predictor is left out" in evaluation.describe(Generalizing(13), held)


def test_words_for_a_pool_that_some_balls_cannot_come_from():
    """An urn without a colour is infinitely far from whoever expects that colour, and never nearest."""
    pool = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    tokens = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    held = evaluation.splits(
        {"out_of_distribution": tokens}, {"generalizing": Generalizing(3), "memorizing": Memorizing(pool)}
    )
    text = evaluation.describe(Generalizing(3, 2.0), held)
    assert "infinite from the memorizing" in text and "Nearest" not in text


def test_held_out_sequences_are_of_the_kind_that_their_name_says():
    """Two balls of a sequence agree with probability 2/(V + 1) for fresh urns and Σ θ² for the one of the pool."""
    settings = check({"n_test_samples": 5000, "context_length": 1})
    pool = experiment.training_pool(settings)
    splits = {split.name: split.tokens for split in experiment.held_out(settings, pool)}
    splits["validation"] = experiment.validation(settings, pool)
    inside = pool.square().sum().item()
    assert abs(inside - 0.4) > 0.03
    for name, wanted in (("in_distribution", inside), ("validation", inside), ("out_of_distribution", 0.4)):
        same = (splits[name][:, 0] == splits[name][:, 1]).double().mean().item()
        assert abs(same - wanted) < 6 * (0.25 / 5000) ** 0.5, name


def test_training_validation_and_held_out_sequences_are_all_different():
    settings = check({"n_test_samples": 32})
    pool = experiment.training_pool(settings)
    streams = [next(experiment.batches(settings, pool)), experiment.validation(settings, pool)]
    streams += [split.tokens for split in experiment.held_out(settings, pool) if split.name != "low_entropy"]
    assert len(torch.cat(streams).unique(dim=0)) == 4 * 32


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
        (0.35, 4e-17, "0.35 ± 0"),
        (0.35, float("nan"), "0.35 ± ?"),
        (float("inf"), float("nan"), "infinite"),
    ],
)
def test_numbers_are_written_to_the_second_digit_of_their_error(mean, sem, text):
    assert evaluation.with_error(mean, sem) == text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: p.exp(), "on in_distribution they add up to .* use .log_softmax"),
        (lambda p: torch.zeros_like(p), "they add up to 4 at one row"),
        (lambda p: p[:, 1:], r"must return \(batch, time, vocab\) = \(200, 33, 4\) here, got \(200, 32, 4\)"),
        (lambda p: p.masked_fill(torch.arange(33)[:, None] == 5, float("nan")), "they add up to nan at one row"),
    ],
)
def test_what_is_no_prediction_is_refused(scene, wrong, message):
    references, held = scene
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate(lambda tokens: wrong(references["memorizing"](tokens)), held)


def test_an_unknown_split_is_named(scene):
    references, held = scene
    with pytest.raises(
        KeyError, match="no split named other; there are in_distribution, out_of_distribution, low_entropy"
    ):
        evaluation.describe(references["memorizing"], held, split="other")


def test_no_reference_beats_the_optimum_on_its_own_kind_of_data(scene):
    """M is best in distribution; S is best of those that know no names: it beats G there."""
    references, held = scene
    tables = {name: evaluation.evaluate(predictor, held) for name, predictor in references.items()}
    losses = {
        name: distance(table, "", split="in_distribution", measure="loss")["mean"] for name, table in tables.items()
    }
    assert losses["memorizing"] < losses["symmetrized"] < losses["generalizing"]
    assert experiment.optimum(check({"n_tasks": 0, "lex": True, "alpha": [1, 2, 3, 4]})) == "symmetrized"
    assert [experiment.optimum(check(flat)) for flat in ({}, {"lex": True}, {"n_tasks": 0, "lex": True})] == [
        "memorizing",
        "symmetrized",
        "generalizing",
    ]


def test_label_permuted_training_sequences_carry_no_names():
    """Over many sequences every colour comes equally often, at training and validation, but not at evaluation."""
    settings = check({"label_permuted": True, "n_test_samples": 4000, "batch_size": 4000})
    pool = experiment.training_pool(settings)
    even, inside = torch.full((4,), 0.25, dtype=torch.float64), experiment.held_out(settings, pool)[0].tokens

    def frequencies(tokens):
        return tokens[:, 0].bincount(minlength=4) / len(tokens)

    assert (pool[0] - even).abs().max() > 0.2
    for tokens in (next(experiment.batches(settings, pool)), experiment.validation(settings, pool)):
        assert (frequencies(tokens) - even).abs().max() < 0.04
    assert (frequencies(inside) - pool[0]).abs().max() < 0.04
    assert settings.kind == "permuted" and experiment.optimum(settings) == "symmetrized"
    assert settings.key != check({"n_test_samples": 4000, "batch_size": 4000}).key
