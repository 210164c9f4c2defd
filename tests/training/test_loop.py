"""The training loop: what it reaches, what it leaves unchanged, and golden losses."""

import copy
import itertools
from collections import Counter
from math import log

import pytest
import torch
from torch.testing import assert_close

from lexurn import models, tasks, training
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.models.names import NamesVocabulary
from lexurn.runs import fit
from lexurn.settings import TRAINING_VERSION
from lexurn.settings.resolver import check


def train_model(flat, batches=None, evaluate=lambda model: {"validation_loss": 0.0}):
    """Train a model and return it, the training's result, and the metrics by step."""
    settings = check(flat)
    model = models.build(settings, generator=generator(0, "weights"))
    logged = {}
    trained = training.train(
        model,
        batches or fit.training_batches(tasks.build(settings)),
        training.Callbacks(evaluate, lambda metrics, step: logged.__setitem__(step, metrics)),
        settings=settings.training,
    )
    return model, trained, logged


GOLDEN = {
    "normal": ({"dropout": 0.1}, [1.9475443, 1.3904057, 1.1999840, 1.1167601, 1.0403256]),
    "lexical": (
        {"lex": True, "dropout": 0.1},
        [1.6733059, 1.6022830, 1.5749346, 1.6181114, 1.4263313],
    ),
}
GOLDEN_RTOL = 5e-6
"""Kernels of other processors move these losses by up to 1.2e-7 (tests/benchmarks/processors.py).
The smallest changes of the algorithm that were tried, no weight decay or a β₂ of 0.99, move them by
1.4e-5 or more."""


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_losses(kind):
    """Five steps of training. If a change is intended, raise TRAINING_VERSION and update GOLDEN."""
    flat, golden = GOLDEN[kind]
    schedule = {"learning_rate": 3e-3, "warmup": 0, "schedule": "constant"}

    def losses(changed):
        _, _, logged = train_model({"n_steps": 5, "eval_every": 1} | schedule | flat | changed)
        return [logged[step]["train_loss"] for step in range(1, 6)]

    assert (TRAINING_VERSION, losses({})) == (1, pytest.approx(golden, rel=GOLDEN_RTOL))
    assert losses({"weight_decay": 0.0}) != pytest.approx(golden, rel=GOLDEN_RTOL)


def prefix_entropy(tokens):
    """Return the smallest mean loss on these sequences: that of a predictor that memorizes them."""
    sequences = [tuple(sequence) for sequence in tokens.tolist()]
    prefixes = Counter(sequence[:t] for sequence in sequences for t in range(len(sequence) + 1))
    losses = [log(prefixes[s[:t]] / prefixes[s[: t + 1]]) for s in sequences for t in range(len(s))]
    return sum(losses) / len(losses)


def test_one_batch_can_be_learned_by_heart_and_no_further():
    tokens = torch.randint(4, (8, 17), generator=generator(0, "tokens"))
    flat = {
        "n_steps": 300,
        "n_layers": 2,
        "context_length": 16,
        "eval_every": 300,
        "weight_decay": 0.0,
    }
    model, _, _ = train_model(flat, itertools.repeat(tokens))
    loss = negative_log_likelihood(model(tokens), tokens).mean().item()
    assert prefix_entropy(tokens) - 1e-4 < loss < prefix_entropy(tokens) + 0.02


def test_a_lexical_model_cannot_learn_names_by_heart():
    """The control: at row 0 and wherever a colour is new, it cannot know which one comes."""
    tokens = torch.randint(4, (8, 17), generator=generator(0, "tokens"))
    flat = {"n_steps": 300, "n_layers": 2, "context_length": 16, "eval_every": 300, "lex": True}
    model, _, _ = train_model(flat, itertools.repeat(tokens))
    loss = negative_log_likelihood(model(tokens, generator=generator(1, "tables")), tokens)
    assert loss[:, 0].mean().item() > 0.9 * log(4)
    assert loss.mean().item() > prefix_entropy(tokens) + 0.05


def test_as_many_learned_names_as_colours_train_like_renamed_sequences(monkeypatch):
    """Vectors and losses are the same if the drawn tables rename the sequences instead."""
    tables, draw = [], NamesVocabulary.draw

    def draw_and_keep(*args, **options):
        tables.append(draw(*args, **options))
        return tables[-1]

    monkeypatch.setattr(NamesVocabulary, "draw", draw_and_keep)
    flat = {"n_steps": 20, "eval_every": 20, "learning_rate": 3e-3}
    named, _, of_named = train_model(flat | {"n_names": 4, "name_vectors": "learned"})

    def train_renamed(tables):
        batches = fit.training_batches(tasks.build(check(flat)))
        renamed = (table.argmax(-1).gather(1, next(batches)) for table in tables)
        learned, _, of_learned = train_model(flat, renamed)
        return learned, of_learned[20]["train_loss"]

    learned, loss = train_renamed(tables)
    assert_close(learned.vocabulary.embedding, named.vocabulary.names, atol=1e-4, rtol=0)
    assert loss == pytest.approx(of_named[20]["train_loss"], abs=1e-5)
    _, other_loss = train_renamed(tables[::-1])  # the control: other names for each sequence
    assert other_loss != pytest.approx(loss, abs=1e-4)


def test_a_single_sequence_repeated_is_learned_by_heart():
    _, _, logged = train_model({"n_train_samples": 1, "n_epochs": 32 * 150, "eval_every": 10})
    assert logged[150]["train_loss"] < 0.01 < logged[10]["train_loss"]


def test_evaluating_never_changes_training():
    def drawing(model):
        torch.rand(7), torch.randint(5, (3,))
        models.as_predictor(model, n_tables=2)(torch.zeros(4, 33, dtype=torch.int64))
        return {"validation_loss": 0.0}

    flat = {"n_steps": 12, "lex": True, "dropout": 0.2}
    rare, _, _ = train_model({**flat, "eval_every": 12})
    often, _, _ = train_model({**flat, "eval_every": 1}, evaluate=drawing)
    assert all(
        a.equal(b)
        for a, b in zip(rare.state_dict().values(), often.state_dict().values(), strict=True)
    )


def test_dropout_draws_from_a_seed_of_its_own_and_gives_the_global_one_back():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, _, _ = train_model({"n_steps": 3, "dropout": 0.3})
    assert before.equal(torch.get_rng_state())
    torch.manual_seed(4)
    again, _, _ = train_model({"n_steps": 3, "dropout": 0.3})
    without, _, _ = train_model({"n_steps": 3})
    assert first.start.equal(again.start) and not first.start.equal(without.start)


def test_best_and_last_weights_are_those_of_their_steps():
    losses = iter([3.0, 1.0, 2.0, 5.0])
    seen = []

    def evaluate(model):
        seen.append(training.copy_weights(model))
        return {"validation_loss": next(losses)}

    model, trained, logged = train_model({"n_steps": 15, "eval_every": 5}, evaluate=evaluate)
    assert trained.best_step == 5 and logged[5]["validation_loss"] == 1.0
    assert list(logged) == [0, 5, 10, 15]
    assert trained.best_weights["start"].equal(seen[1]["start"]) and trained.last_weights[
        "start"
    ].equal(model.start)
    assert not trained.best_weights["start"].equal(trained.last_weights["start"])


@pytest.mark.parametrize(
    ("patience", "min_delta", "wanted"),
    [
        (0, 0.0, (50, 10)),
        (2, 0.0, (30, 10)),
        (3, 0.0, (50, 10)),
        (2, 0.5, (20, 0)),
        (1, 0.0, (20, 10)),
    ],
)
def test_training_stops_when_nothing_better_comes(patience, min_delta, wanted):
    """Validation losses 3.0, 2.9, 2.95, 2.99, 2.98, 2.97 at steps 0, 10, …, 50."""
    losses = iter([3.0, 2.9, 2.95, 2.99, 2.98, 2.97])
    flat = {"n_steps": 50, "eval_every": 10, "patience": patience, "min_delta": min_delta}
    if patience == 3:
        losses = iter([3.0, 2.9, 2.95, 2.99, 2.89, 2.97])  # step 40 comes in time
        wanted = (50, 40)
    _, trained, logged = train_model(flat, evaluate=lambda model: {"validation_loss": next(losses)})
    assert (trained.last_step, trained.best_step) == wanted and max(logged) == trained.last_step


def test_the_first_losses_are_kept_one_by_one():
    _, trained, each = train_model({"n_steps": 25, "eval_every": 1})
    assert trained.first_losses == [each[step]["train_loss"] for step in range(1, 21)]
    _, trained, _ = train_model({"n_steps": 7, "eval_every": 3})
    assert trained.first_losses == [each[step]["train_loss"] for step in range(1, 8)]


def test_the_train_loss_is_the_mean_since_the_last_evaluation():
    _, _, each = train_model({"n_steps": 7, "eval_every": 1})
    _, _, some = train_model({"n_steps": 7, "eval_every": 3})
    for step, steps in ((3, (1, 2, 3)), (6, (4, 5, 6)), (7, (7,))):
        wanted = sum(each[s]["train_loss"] for s in steps) / len(steps)
        assert some[step]["train_loss"] == pytest.approx(wanted, rel=1e-5)


def test_the_schedule_is_followed():
    flat = {
        "n_steps": 20,
        "eval_every": 1,
        "warmup": 5,
        "schedule": "cosine",
        "learning_rate": 0.01,
    }
    _, _, logged = train_model(flat)
    rates = [0.01 * training.learning_rate_factor(step, check(flat).training) for step in range(21)]
    assert [logged[step]["learning_rate"] for step in range(21)] == pytest.approx(rates)
    slow, _, _ = train_model({"n_steps": 1, "warmup": 1000})  # and it is what moves the weights
    fast, _, _ = train_model({"n_steps": 1, "warmup": 0})
    start = models.build(check({}), generator=generator(0, "weights")).start
    assert (fast.start - start).abs().max() > 100 * (slow.start - start).abs().max() > 0


RATE = {"learning_rate": 1e30, "warmup": 0}


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        (
            RATE | {"grad_clip": 0.0},
            "the training loss became nan between steps 0 and 5, with learning_rate=1e+30 and "
            "grad_clip=0.0; lower learning_rate, or set grad_clip to 1.0",
        ),
        (  # gradients are clipped already
            RATE,
            "the training loss became nan between steps 0 and 5, with learning_rate=1e+30; lower "
            "learning_rate",
        ),
        (
            RATE | {"grad_clip": 9.0, "logit_scale": 64.0, "initial_std": 2.0},
            "the training loss became nan between steps 0 and 5, with learning_rate=1e+30 and "
            "grad_clip=9.0 and logit_scale=64.0 and initial_std=2.0; lower learning_rate, or set "
            "grad_clip to 1.0, or lower logit_scale, or lower initial_std",
        ),
        (  # no learning rate helps where the first loss is not finite
            {"initial_std": 1e30, "grad_clip": 0.0},
            "the training loss became nan before the first update, with initial_std=1e+30; lower "
            "initial_std",
        ),
        (
            {"logit_scale": 3e38},
            "the training loss became nan before the first update, with logit_scale=3e+38; lower "
            "logit_scale",
        ),
    ],
)
def test_a_loss_that_is_not_finite_stops_the_training_and_names_what_may_be_the_cause(
    flat, message
):
    with pytest.raises(FloatingPointError) as caught:
        train_model({"n_steps": 50, "eval_every": 5, **flat})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("last", "message"), [(7, "between steps 5 and 7"), (5, "0 and 5"), (9, "")]
)
def test_a_validation_loss_that_is_not_finite_is_a_divergence_too(last, message):
    """It is not finite from step `last` on, which 9 is not."""
    steps = iter([0, 5, 7])

    def evaluate(model):
        return {"validation_loss": float("nan") if next(steps) >= last else 1.0}

    if message:
        with pytest.raises(FloatingPointError, match=f"the validation loss became nan .*{message}"):
            train_model({"n_steps": 7, "eval_every": 5}, evaluate=evaluate)
    else:
        assert train_model({"n_steps": 7, "eval_every": 5}, evaluate=evaluate)[1].last_step == 7


def test_initial_weights_that_another_run_gave_are_named(monkeypatch):
    monkeypatch.setattr(training.loop, "isfinite", lambda loss: False)
    with pytest.raises(FloatingPointError, match="update, with these initial weights; start from"):
        train_model({"n_steps": 1})


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", {0: 0.1, 4: 0.5, 9: 1.0, 10: 1.0, 110: 1.0}),
        ("cosine", {0: 0.1, 9: 1.0, 10: 1.0, 60: 0.5, 110: 0.0}),
        ("inverse_sqrt", {0: 0.1, 9: 1.0, 39: 0.5, 89: 1 / 3}),
    ],
)
def test_schedules(schedule, wanted):
    settings = check({"warmup": 10, "schedule": schedule, "n_steps": 110}).training
    found = {step: training.learning_rate_factor(step, settings) for step in wanted}
    assert found == pytest.approx(wanted, abs=1e-9)


def test_weight_decay_is_on_matrices_only():
    model = models.build(check({}), generator=generator(0, "weights"))
    (optimizer,) = training.build_optimizers(model, check({"weight_decay": 0.3}).training)
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.3 and spared["weight_decay"] == 0.0
    with_decay, without = (
        train_model({"n_steps": 1, "warmup": 0, "weight_decay": decay})[0] for decay in (50.0, 0.0)
    )
    for (name, moved), parameter in zip(
        with_decay.named_parameters(), without.parameters(), strict=True
    ):
        assert torch.allclose(moved, parameter) == (parameter.ndim < 2), name
    assert all(parameter.ndim == 2 for parameter in decayed["params"])
    assert all(parameter.ndim == 1 for parameter in spared["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))


def test_muon_is_for_the_matrices_of_the_backbone_and_moves_as_far_as_adamw():
    settings = check({"optimizer": "muon", "weight_decay": 0.3})
    model = models.build(settings, generator=generator(0, "weights"))
    adamw, muon = training.build_optimizers(model, settings.training)
    (group,) = muon.param_groups
    matrices = {id(parameter) for parameter in model.backbone.parameters() if parameter.ndim == 2}
    assert {id(parameter) for parameter in group["params"]} == matrices and group[
        "weight_decay"
    ] == 0.3
    others = [id(parameter) for each in adamw.param_groups for parameter in each["params"]]
    assert {*others} | matrices == {id(parameter) for parameter in model.parameters()} and not {
        *others
    } & matrices
    flat = {"n_steps": 1, "warmup": 0, "weight_decay": 0.0, "learning_rate": 0.01}
    before = models.build(check({}), generator=generator(0, "weights")).backbone.state_dict()
    for name in ("adamw", "muon"):
        after = train_model(flat | {"optimizer": name})[0].backbone.state_dict()
        moved = [
            (after[key] - before[key]).pow(2).mean().sqrt()
            for key in before
            if before[key].ndim == 2
        ]
        assert all(0.001 < step < 0.011 for step in moved), (name, moved)
    assert check({"optimizer": "adamw"}).key == check({}).key != settings.key


def test_sgd_moves_against_the_gradient_and_decays_matrices_alone():
    rate, decay = 0.1, 0.5
    flat = {"n_steps": 1, "warmup": 0, "learning_rate": rate, "grad_clip": 0.0}
    flat |= {"optimizer": "sgd", "weight_decay": decay, "schedule": "constant"}
    batch = torch.randint(4, (8, 33), generator=generator(0, "batch"))
    before = models.build(check(flat), generator=generator(0, "weights"))
    negative_log_likelihood(before(batch), batch).mean().backward()
    after = dict(train_model(flat, itertools.repeat(batch))[0].named_parameters())
    for name, parameter in before.named_parameters():
        gradient = parameter.grad + decay * parameter * (parameter.ndim > 1)
        assert torch.allclose(after[name], parameter - rate * gradient, atol=1e-6), name
    adamw = train_model(flat | {"optimizer": "adamw"}, itertools.repeat(batch))[0]
    moved = (adamw.vocabulary.embedding - before.vocabulary.embedding).abs()
    assert moved.max() > 0.09  # the control: AdamW moves by the rate, however small the gradient
    assert (after["vocabulary.embedding"] - before.vocabulary.embedding).abs().max() < 0.09


def test_gradients_are_clipped_to_their_largest_norm(monkeypatch):
    norms = []
    real = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda p, most: norms.append(most) or real(p, most)
    )
    train_model({"n_steps": 2, "grad_clip": 0.25})
    train_model({"n_steps": 2, "grad_clip": 0.0})
    assert norms == [0.25, 0.25]


@pytest.mark.parametrize(
    ("flat", "plain"),
    [
        ({"backbone": "mamba"}, ["layers.0.mixer.A_log"]),
        ({"backbone": "xlstm", "slstm_at": [0]}, ["blocks.0.cell.bias"]),
        ({"backbone": "linear"}, ["layers.0.bias"]),
        ({"backbone": "transformer"}, []),
    ],
)
def test_what_is_no_matrix_neither_decays_nor_is_orthogonalized(flat, plain):
    for optimizer in ("adamw", "muon"):
        settings = check({"optimizer": optimizer, "weight_decay": 0.1, **flat})
        model = models.build(settings, generator=generator(0, "weights"))
        names = {parameter: name for name, parameter in model.backbone.named_parameters()}
        decays, muon = {}, set()
        for each in training.build_optimizers(model, settings.training):
            for group in each.param_groups:
                decays |= {
                    names.get(p, "elsewhere"): group["weight_decay"] for p in group["params"]
                }
                muon |= (
                    {names[p] for p in group["params"]}
                    if isinstance(each, torch.optim.Muon)
                    else set()
                )
        flat_ones = [
            name
            for name in decays
            if name != "elsewhere" and model.backbone.get_parameter(name).ndim < 2
        ]
        assert {name for name, decay in decays.items() if decay == 0} - {"elsewhere"} == {
            *plain,
            *flat_ones,
        }
        assert not muon & {*plain, *flat_ones} and (optimizer == "adamw" or muon)


def test_updates_and_state_are_those_of_torchs_adamw_bit_for_bit():
    """With another weight decay, they differ."""
    model = models.build(check({}), generator=generator(0, "weights"))
    targets = copy.deepcopy(model), copy.deepcopy(model)
    ours = training.build_optimizers(model, check({}).training)
    groups = ours[0].param_groups
    index = {id(p): number for number, p in enumerate(model.parameters())}
    theirs = []
    for target, decay in zip(targets, (0.01, 0.1), strict=True):
        parameters = list(target.parameters())
        their_groups = [
            {
                "params": [parameters[index[id(p)]] for p in group["params"]],
                "weight_decay": min(group["weight_decay"], 1) * decay / 0.01,
            }
            for group in groups
        ]
        theirs.append(torch.optim.AdamW(their_groups, fused=True))
    tokens = torch.randint(4, (8, 33), generator=generator(0, "tokens"))
    for step in range(5):
        for each, optimizers in zip((model, *targets), (ours, theirs[:1], theirs[1:]), strict=True):
            negative_log_likelihood(each(tokens), tokens).mean().backward()
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = 0.01 / (step + 1)
                optimizer.step()
            each.zero_grad()
    equal, other = (
        all(a.equal(b) for a, b in zip(model.parameters(), target.parameters(), strict=True))
        for target in targets
    )
    assert equal and not other
    states = zip(ours[0].state.values(), theirs[0].state.values(), strict=True)
    assert all(mine[name].equal(torchs[name]) for mine, torchs in states for name in torchs)
