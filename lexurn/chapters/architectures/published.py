"""What the published linear model and the published positions do, and what mending them changes.

Neither is a model of this library (`lexurn.chapters.architectures.published_models`): they are trained here, for a table, and not kept.
"""

import pandas as pd
import torch
from torch import nn

from lexurn import models, training
from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.chapters.architectures.published_models import AlongTheBatch, PositionPairs
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS
from lexurn.measures import rules
from lexurn.models.generation import complete_with_predictor
from lexurn.runs import fit
from lexurn.settings import Settings
from lexurn.settings.resolver import check


def trained(model: nn.Module, settings: Settings) -> nn.Module:
    """Train a model of words in place, as a run with these settings would be: the weights of the last step."""
    train = settings.training
    training.train(
        model,
        fit.batches(settings, None),
        training.Callbacks(lambda model: {"validation_loss": 0.0}, lambda metrics, step: None),
        settings=train.model_copy(update={"eval_every": train.n_steps}),
        objective=training.Objective(first_row=settings.task.first_row),
    )
    return model.eval()


def linear(settings: Settings) -> pd.DataFrame:
    """The linear model of pairs of places, as published and masked: model, parameters, seed, and of rule extrapolation
    without looking ahead, the share of prompts with rule 1 kept and with EOS said at once; excess (nats a word)."""
    task, seed, lines = settings.task, settings.training.seed, []
    language, n_rows = LANGUAGES[task.language], task.context_length + 1
    given = rules.prompt_sets(task.language)["out_of_distribution"]
    words = fit.held_out(settings, None)["in_distribution"]
    for name, masked in (("as published", False), ("masked", True)):
        stream = generator(seed, "position pairs")
        model = PositionPairs(language.vocab_size, n_rows=n_rows, masked=masked, generator=stream)
        predictor = _predictor(trained(model, settings))
        completed = complete_with_predictor(predictor, given, limit=n_rows)
        kept = rules.judged(language, given, completed).set_index("measure")["value"]
        at_once = (completed[:, given.shape[1]] == EOS).double().mean().item()
        n_parameters = sum(parameter.numel() for parameter in model.parameters())
        lines.append(
            (
                name,
                n_parameters,
                seed,
                kept[rules.KEPT],
                at_once,
                _excess(predictor, settings, words),
            )
        )
    return pd.DataFrame(
        lines, columns=["model", "parameters", "seed", "rule 1", "EOS at once", "excess"]
    )


def positions(settings: Settings) -> pd.DataFrame:
    """Sines along the batch and along time: model, seed, moved (how far the probabilities of a word's tokens move at
    most from the first place of a batch to any other, in batches as large as those of training), excess (nats a word,
    every word alone in its batch)."""
    lines, seed, n_places = [], settings.training.seed, settings.training.batch_size
    words = fit.held_out(settings, None)["in_distribution"]
    for name, flat in (
        ("along the batch", {"positions": "none"}),
        ("along time", {"positions": "sinusoidal"}),
    ):
        model = models.build(check(settings.flat() | flat), generator=generator(seed, "weights"))
        if name == "along the batch":
            model.backbone = AlongTheBatch(model.backbone)
        trained(model, settings)
        with torch.no_grad():
            at_all = model(words[-1:].expand(n_places, -1)).exp()
        moved = (at_all - at_all[:1]).abs().max().item()
        lines.append((name, seed, moved, _excess(_one_by_one(model), settings, words)))
    return pd.DataFrame(lines, columns=["model", "seed", "moved", "excess"])


def _predictor(model: nn.Module) -> Predictor:
    def predict(tokens: Tokens) -> LogProbs:
        with torch.no_grad():
            return as_double(model(tokens))

    return predict


def _one_by_one(model: nn.Module) -> Predictor:
    predict = _predictor(model)
    return lambda tokens: torch.cat([predict(word[None]) for word in tokens])


def _excess(predictor: Predictor, settings: Settings, words: Tokens) -> float:
    oracle = fit.references(settings, None)["oracle"]
    ours, best = (
        negative_log_likelihood(each(words), words).double().sum(-1) for each in (predictor, oracle)
    )
    return (ours - best).mean().item()
