"""Tiny models of coins: compiled loops against torch, runs and predictors."""

import numpy as np
import pytest
import torch

from lexurn import models, runs, tasks
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.chapters.coins import contexts, tiny, tiny_loops
from lexurn.generators.urns import Urns
from lexurn.models import activations
from lexurn.runs import fit
from lexurn.settings.resolver import check

TINY = {
    "n_colors": 2,
    "n_tasks": 0,
    "context_length": 7,
    "d_model": 2,
    "n_heads": 1,
    "d_head": 1,
    "d_mlp": 16,
    "mlp": "relu",
    "norm": "none",
    "positions": "log",
    "positions_trained": False,
    "bos": False,
    "tied": False,
    "n_steps": 40,
    "eval_every": 40,
    "n_test_samples": 20,
}
ATTENTION_ONLY = {"mlp": "none", "d_mlp": 0, "positions": "none", "positions_trained": True}
WIDER = {"d_model": 4, "d_head": 3, "d_mlp": 5, "positions": "learned", "positions_trained": True}


@pytest.mark.parametrize("changes", [{}, ATTENTION_ONLY, WIDER])
def test_the_loops_have_the_loss_and_the_gradient_of_torch(changes):
    settings = check(TINY | changes)
    model = fit.init_model(settings)
    tokens = next(fit.training_batches(tasks.build(settings)))
    weights = tiny.pack(model, settings)
    gradient = np.zeros_like(weights)
    found = tiny_loops.loss_and_gradient(
        *(weights, gradient, tiny.offsets(settings), tokens.to(torch.int8).numpy()),
        *tiny.sizes(settings),
    )
    loss = negative_log_likelihood(model(tokens), tokens).mean()
    loss.backward()
    assert found == pytest.approx(loss.item(), abs=1e-6)
    by_name = tiny.unpack(gradient, settings).state_dict()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(by_name[name], parameter.grad, rtol=1e-4, atol=2e-6)
    assert np.abs(gradient).max() > 0.01


def test_a_tiny_model_is_the_run_with_its_settings():
    """The loops see the data, the schedule, the decay and the clipping of a run."""
    settings = check(TINY | {"weight_decay": 0.3, "grad_clip": 0.5})
    (model,) = tiny.train_all([settings])
    run = runs.get(settings)
    assert run.settings.training.n_steps == 40
    own = model.state_dict()
    for name, weight in run.model.state_dict().items():
        if not name.endswith("qkv.bias"):  # keys' bias has no gradient but rounding
            torch.testing.assert_close(own[name], weight, rtol=0, atol=2e-5)
    tokens = run.splits["out_of_distribution"]
    torch.testing.assert_close(
        models.as_predictor(model)(tokens), run.predictor(tokens), rtol=0, atol=1e-4
    )
    (other,) = tiny.train_all([check(TINY | {"weight_decay": 0.3, "grad_clip": 0.0})])
    name = "vocabulary.embedding"
    assert (other.state_dict()[name] - model.state_dict()[name]).abs().max() > 1e-3


def test_weights_are_stored_once_and_survive_packing():
    points = [check(TINY | {"seed": seed}) for seed in (3, 4)]
    said = []
    first = tiny.train_all(points, jobs=2, say=said.append)
    assert len(said) == 2
    again = tiny.train_all(points, say=said.append)
    assert len(said) == 2
    for one, other, point in zip(first, again, points, strict=True):
        assert (tiny.pack(one, point) == tiny.pack(other, point)).all()
    assert (tiny.pack(first[0], points[0]) != tiny.pack(first[1], points[1])).mean() > 0.5


@pytest.mark.parametrize(
    "changes", [{"n_layers": 2}, {"norm": "layer"}, {"bos": True}, {"optimizer": "sgd"}]
)
def test_other_models_are_refused(changes):
    with pytest.raises(ParameterError, match=f"tiny models need {next(iter(changes))}"):
        tiny.require_tiny(check(TINY | changes))


def test_all_contexts_have_the_predictions_and_the_activations_of_the_model():
    settings = check(TINY | {"d_head": 2})
    (model,) = tiny.train_all([settings])
    tokens = Urns(2).out_of_distribution(50, 8, generator=generator(0, "coins"))
    log_probs = models.as_predictor(model)(tokens)
    z = activations.read(model, tokens, "0.attn.z")["0.attn.z"][:, :, 0]
    weights = contexts.read_weights(model, settings)
    *_, plain = contexts.rows(weights, uniform=True)
    for row in contexts.rows(weights):
        place = (tokens[:, : row.n] * 2 ** torch.arange(row.n)).sum(1).numpy()
        assert (row.heads[place] == tokens[:, : row.n].sum(1).numpy()).all()
        assert (row.last[place] == tokens[:, row.n - 1].numpy()).all()
        log_odds = log_probs[:, row.n, 1] - log_probs[:, row.n, 0]
        np.testing.assert_allclose(row.log_odds[place], log_odds.numpy(), atol=1e-4)
        np.testing.assert_allclose(row.z[place], z[:, row.n].numpy(), atol=1e-5)
        assert row.probability.sum() == pytest.approx(1)
        exact = Urns(2).log_evidence(tokens[:, : row.n]).exp()
        np.testing.assert_allclose(row.probability[place], exact.numpy(), rtol=1e-9)
    assert row.n == 7 and np.abs(plain.z - row.z).max() > 1e-3  # plain means are something else
