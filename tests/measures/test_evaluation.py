"""Evaluation is tested by handing it exact predictors as the model."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon

from lexurn import evaluation, tasks
from lexurn.base import divergences
from lexurn.base.errors import ParameterError
from lexurn.predictors import Average, Generalizing, Memorizing, cache_predictions
from lexurn.runs import fit
from lexurn.settings.resolver import check


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 200})
    held = tasks.build(settings).held_out()
    return cache_predictions(tasks.build(settings).references(), held), held


def distance(
    table, reference, *, split="out_of_distribution", row="mean", measure="symmetrized_kl"
):
    return evaluation.select(table, split=split, measure=measure, row=row).loc[reference]


@pytest.mark.parametrize("who", ["generalizing", "memorizing", "symmetrized"])
def test_an_exact_predictor_is_at_no_distance_from_itself_and_at_some_from_the_others(scene, who):
    references, held = scene
    table = evaluation.evaluate(references[who], references, held)
    for name in references:
        for measure in ("symmetrized_kl", "kl", "regret"):
            found = distance(table, name, measure=measure)
            if name == who:
                assert found["mean"] == pytest.approx(0, abs=1e-12) and found[
                    "sem"
                ] == pytest.approx(0, abs=1e-12)
            else:
                assert abs(found["mean"]) > 2 * found["sem"] > 0


def test_a_biased_copy_is_found_out(scene):
    references, held = scene
    table = evaluation.evaluate(Generalizing(4, 1.2), references, held)
    found = distance(table, "generalizing")
    assert 0 < found["mean"] < 0.01 and found["mean"] > 6 * found["sem"]


def test_the_table_is_the_average_over_sequences_row_by_row(scene):
    references, held = scene
    table = evaluation.evaluate(references["memorizing"], references, held, step=7)
    ends = (
        references[name](held["out_of_distribution"]) for name in ("generalizing", "memorizing")
    )
    values = divergences.symmetrized_kl(*ends)
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
    assert list(table.columns) == [
        "step",
        "split",
        "row",
        "reference",
        "measure",
        "mean",
        "sem",
        "n",
    ]


def test_loss_of_the_memorizing_predictor_is_the_entropy_of_its_urn(scene):
    """With one urn, the loss per ball is the urn's entropy within six standard errors."""
    references, held = scene
    memorizing = Memorizing(tasks.build(check({})).pool)
    table = evaluation.evaluate(memorizing, references, held)
    found = distance(table, "", split="in_distribution", measure="loss")
    entropy = divergences.entropy(memorizing.urns.log()).item()
    assert abs(found["mean"] - entropy) < 6 * found["sem"]


def test_one_sequence_lists_every_predictor_row_and_color(scene):
    references, held = scene
    tokens = held["out_of_distribution"][:1]
    table = evaluation.predict_sequence(references, tokens)
    assert len(table) == 3 * 33 * 4
    sums = table.groupby(["predictor", "row"])["probability"].sum()
    assert sums.to_numpy() == pytest.approx(1)
    assert table.drop_duplicates("row").sort_values("row")["ball"].tolist() == tokens[0].tolist()


def test_models_with_equal_task_and_seed_are_compared_on_the_same_sequences():
    normal, lexical, other = (
        check(flat) for flat in ({}, {"lex": True, "n_steps": 5}, {"seed": 1})
    )
    tokens = [tasks.build(s).held_out()["in_distribution"] for s in (normal, lexical, other)]
    assert tokens[0].equal(tokens[1]) and not tokens[0].equal(tokens[2])


def test_infinitely_many_urns_leave_only_the_generalizing_reference():
    settings = check({"n_tasks": 0, "n_test_samples": 10})
    assert tasks.build(settings).pool is None
    held = tasks.build(settings).held_out()
    assert list(held) == ["out_of_distribution", "low_entropy"]
    references = tasks.build(settings).references()
    assert list(references) == ["generalizing"]


def test_symmetrized_is_left_out_where_it_is_out_of_reach():
    at_scale = {"n_colors": 8, "context_length": 127, "n_test_samples": 500}
    for flat, there in (
        ({**at_scale, "n_tasks": 16}, True),
        ({**at_scale, "n_tasks": 256}, True),
        ({**at_scale, "n_tasks": 512}, False),  # 67 s
        ({"n_colors": 14, "n_test_samples": 2}, True),
        ({"n_colors": 15, "n_test_samples": 2}, False),
    ):
        task = tasks.build(check(flat))
        assert ("symmetrized" in task.references()) == there
    task = tasks.build(check({**at_scale, "n_tasks": 512}))
    with pytest.raises(ParameterError, match="n_tasks=512 and n_test_samples=500, about 1 min 7 s"):
        task.require_references()
    with pytest.raises(ParameterError, match=r"n_colors=2000, .* about more than a year, and this"):
        tasks.build(check({"n_colors": 2000})).require_references()


def test_held_out_sequences_are_of_the_kind_that_their_name_says():
    """Two balls agree with probability 2/(V + 1) for fresh urns and Σ θ² for the pool's urn."""
    settings = check({"n_test_samples": 5000, "context_length": 1})
    pool = tasks.build(settings).pool
    splits = tasks.build(settings).held_out() | {"validation": tasks.build(settings).validation()}
    inside = pool.square().sum().item()
    assert abs(inside - 0.4) > 0.03
    for name, wanted in (
        ("in_distribution", inside),
        ("validation", inside),
        ("out_of_distribution", 0.4),
    ):
        same = (splits[name][:, 0] == splits[name][:, 1]).double().mean().item()
        assert abs(same - wanted) < 6 * (0.25 / 5000) ** 0.5, name


def test_training_validation_and_held_out_sequences_are_all_different():
    settings = check({"n_test_samples": 32})
    streams = [
        next(fit.training_batches(tasks.build(settings))),
        tasks.build(settings).validation(),
    ]
    streams += [
        split for name, split in tasks.build(settings).held_out().items() if name != "low_entropy"
    ]
    assert len(torch.cat(streams).unique(dim=0)) == 4 * 32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: p.exp(), "one row adds up to .* use .log_softmax"),
        (lambda p: torch.zeros_like(p), "one row adds up to 4;"),
        (
            lambda p: p[:, 1:],
            r"must return \(batch, time, vocab\) = \(200, 33, 4\) here, got \(200, 32, 4\)",
        ),
        (
            lambda p: p.masked_fill(torch.arange(33)[:, None] == 5, float("nan")),
            "got nan; a probability of 0 is -inf",
        ),
    ],
)
def test_what_is_no_prediction_is_refused(scene, wrong, message):
    references, held = scene
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate(
            lambda tokens: wrong(references["memorizing"](tokens)), references, held
        )


def test_no_reference_beats_the_optimum_on_its_own_kind_of_data(scene):
    """M is best in distribution; S is best of those that know no names: it beats G there."""
    references, held = scene
    tables = {
        name: evaluation.evaluate(predictor, references, held)
        for name, predictor in references.items()
    }
    losses = {
        name: distance(table, "", split="in_distribution", measure="loss")["mean"]
        for name, table in tables.items()
    }
    assert losses["memorizing"] < losses["symmetrized"] < losses["generalizing"]
    assert (
        tasks.build(check({"n_tasks": 0, "lex": True, "alpha": [1, 2, 3, 4]})).optimum
        == "symmetrized"
    )
    assert [
        tasks.build(check(flat)).optimum
        for flat in ({}, {"lex": True}, {"n_tasks": 0, "lex": True})
    ] == [
        "memorizing",
        "symmetrized",
        "generalizing",
    ]


def test_label_permuted_training_sequences_carry_no_names():
    """Colours are equally frequent in training and validation, but not in evaluation."""
    settings = check({"label_permuted": True, "n_test_samples": 4000, "batch_size": 4000})
    pool = tasks.build(settings).pool
    even, inside = (
        torch.full((4,), 0.25, dtype=torch.float64),
        tasks.build(settings).held_out()["in_distribution"],
    )

    def frequencies(tokens):
        return tokens[:, 0].bincount(minlength=4) / len(tokens)

    assert (pool[0] - even).abs().max() > 0.2
    for tokens in (
        next(fit.training_batches(tasks.build(settings))),
        tasks.build(settings).validation(),
    ):
        assert (frequencies(tokens) - even).abs().max() < 0.04
    assert (frequencies(inside) - pool[0]).abs().max() < 0.04
    assert settings.kind == "permuted" and tasks.build(settings).optimum == "symmetrized"
    assert settings.key != check({"n_test_samples": 4000, "batch_size": 4000}).key


def test_an_average_is_scored_as_one_predictor_and_tells_how_far_its_parts_disagree(scene):
    references, held = scene
    g, m = references["generalizing"], references["memorizing"]
    of_both = Average(lambda tokens: torch.stack([g(tokens), m(tokens)]))
    of_one, of_two = (
        evaluation.evaluate(average, references, held)
        for average in (Average(lambda tokens: torch.stack(3 * [g(tokens)])), of_both)
    )
    assert distance(of_one, "generalizing")["mean"] == pytest.approx(0, abs=1e-12)
    assert distance(of_one, "", measure="disagreement")["mean"] == pytest.approx(0, abs=1e-12)
    tokens = held["out_of_distribution"]
    root = jensenshannon(g(tokens).exp(), m(tokens).exp(), axis=-1)
    wanted = (root**2)[:, 1:].mean()  # for two parts, it is their Jensen-Shannon divergence
    assert distance(of_two, "", measure="disagreement")["mean"] == pytest.approx(wanted)
    assert of_both(tokens).exp() == pytest.approx((g(tokens).exp() + m(tokens).exp()) / 2)


def test_what_is_remembered_is_computed_once_and_only_for_the_splits():
    asked = []
    tokens = torch.zeros(3, 4, dtype=torch.int64)
    known = cache_predictions(
        {"g": lambda x: asked.append(len(x)) or Generalizing(4)(x)}, {"split": tokens}
    )["g"]
    for each in (tokens, tokens, tokens[:2], tokens[:2], tokens.clone()):
        assert known(each).equal(Generalizing(4)(each))
    assert asked == [3, 2, 2, 3]


def test_the_last_predictions_are_listed_for_a_person(scene):
    references, held = scene
    table = evaluation.last_predictions(
        references["memorizing"], references, held["out_of_distribution"]
    )
    assert len(table) == 200 and len(table["balls"][0].split()) == 32
    assert table[[f"model/{color}" for color in range(4)]].sum(axis=1).to_numpy() == pytest.approx(
        1
    )
    assert table["symmetrized_kl/memorizing"].to_numpy() == pytest.approx(0, abs=1e-12)
    found = distance(
        evaluation.evaluate(references["memorizing"], references, held), "generalizing", row="last"
    )
    assert table["symmetrized_kl/generalizing"].mean() == pytest.approx(found["mean"])


def test_each_measure_by_hand():
    """Two rows of two colours: the direction of kl, and the sign of regret."""
    tokens = torch.tensor([[0, 1]])
    model, reference = (
        torch.tensor([[p, p]], dtype=torch.float64) for p in ([0.5, 0.5], [0.9, 0.1])
    )

    def always(tokens):
        return model.log().expand(len(tokens), -1, -1)

    found = evaluation.score_sequences(always, {"r": lambda tokens: reference.log()}, tokens)
    kl = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    other = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    assert found["r", "kl"].tolist() == [pytest.approx([kl, kl])]
    assert found["r", "symmetrized_kl"].tolist() == [pytest.approx(2 * [(kl + other) / 2])]
    assert found["r", "regret"].tolist() == [
        pytest.approx([math.log(0.9 / 0.5), math.log(0.1 / 0.5)])
    ]
    assert found["", "loss"].tolist() == [pytest.approx(2 * [math.log(2)])]


def peeking(tokens):
    """Knows the token that it predicts."""
    return (torch.nn.functional.one_hot(tokens, 4) * 0.8 + 0.05).log()


def late(tokens):
    """Row t has seen token t: the classic mistake of one row."""
    return Generalizing(4)(torch.cat([tokens, tokens[:, -1:]], 1))[:, 1:]


@pytest.mark.parametrize("wrong", [peeking, late])
def test_a_predictor_that_has_seen_what_it_predicts_is_refused(scene, wrong):
    references, held = scene
    with pytest.raises(
        ValueError, match=r"row 16 changes when only tokens\[:, 16:\] change; row t may use"
    ):
        evaluation.evaluate(wrong, references, held)


def test_a_predictor_of_another_kind_is_refused(scene):
    references, held = scene
    with pytest.raises(
        TypeError, match="must return a torch tensor of log-probabilities, got ndarray"
    ):
        evaluation.evaluate(lambda tokens: Generalizing(4)(tokens).numpy(), references, held)
