"""The geometry of a run along its training, beside what the model predicts at that time.

    along_training(run)         measures of the layers, the loss, and distances from n-gram models,
                                at the beginning and at every checkpoint
    early_training(settings)    the mean cosine and the same distances after every second step, in a
                                training of its own: checkpoints begin too late for that

Distances are symmetrized KL divergences in nats a token.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
import pandas as pd
from torch import Tensor, nn

from lexurn import tasks, training
from lexurn.base.divergences import negative_log_likelihood, symmetrized_kl
from lexurn.base.shapes import State, Tokens
from lexurn.chapters.geometry import layers
from lexurn.chapters.geometry.ngrams import KneserNey
from lexurn.chapters.geometry.token_geometry import cloud_dimensions, held_out_sequences
from lexurn.generators import text
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating
from lexurn.runs import fit
from lexurn.runs.run import Run
from lexurn.settings import Settings, TextSettings

ORDER = 5
"""The order of the n-grams that text models are compared with."""

LAST_EARLY = 80
"""The number of steps that count as early."""

N_EARLY = 32
"""The number of sequences that are looked at early."""


@cache
def five_gram(task: TextSettings) -> KneserNey:
    """Return the smoothed 5-gram of the training text."""
    loaded = text.load(task)
    return KneserNey(np.asarray(loaded.tokens("train")), len(loaded.tokenizer.pieces), order=ORDER)


def along_training(run: Run) -> pd.DataFrame:
    """Return step, layer, measure, value. Measures of predictions are in the rows of layer 0.

    Clouds take long, so they are measured in the second half of the training and at its beginning.
    """
    tokens = held_out_sequences(run.settings)
    rules = run.references | {"5-gram": five_gram(run.settings.task)}
    references = {name: rule(tokens)[:, 1:] for name, rule in rules.items()}
    parts = []
    for step, model in snapshots(run):
        measures = layers.layer_measures(model, tokens, backward=False, last_norm=True)
        predicted = prediction_measures(model, tokens, references)
        table = pd.concat([measures, predicted], ignore_index=True)
        if step == 0 or 2 * step >= run.settings.training.n_steps:
            clouds = cloud_dimensions(model, tokens, seed=run.settings.training.seed, n_clouds=1)
            table = pd.concat([table, clouds], ignore_index=True)
        parts.append(table.rename(columns={"mean": "value"}).assign(step=step))
    columns = ["step", "layer", "measure", "value"]
    return pd.concat(parts, ignore_index=True)[columns]


def early_training(settings: Settings) -> pd.DataFrame:
    """Train the first `LAST_EARLY` steps; return step, layer, measure, value after every second.

    The training is that of a run with these settings, if its rate does not depend on its length.
    """
    n_steps = min(LAST_EARLY, settings.training.n_steps)
    settings = settings.replace(n_steps=n_steps, eval_every=n_steps, n_checkpoints=0)
    setup = fit.prepare(settings)
    tokens = held_out_sequences(settings)[:N_EARLY]
    rules = setup.task.references()
    references = {name: rule(tokens)[:, 1:] for name, rule in rules.items()}
    parts = []

    def measure(step: int) -> None:
        measures = layers.layer_measures(setup.model, tokens, backward=False)
        measures = measures[measures["measure"].isin(["cosine", "norm", "spread"])]
        predicted = prediction_measures(setup.model, tokens, references)
        table = pd.concat([measures, predicted], ignore_index=True)
        parts.append(table.rename(columns={"mean": "value"}).assign(step=step))

    def evaluate(_: nn.Module) -> dict[str, float]:
        return {"validation_loss": 0.0}  # nothing is chosen by it

    def checkpoint(step: int, _: Callable[[], State]) -> None:
        if step % 2 == 0:
            measure(step)

    batches = fit.training_batches(setup.task, device=setup.device)
    callbacks = training.Callbacks(evaluate, lambda metrics, step: None, checkpoint)
    fit.fit(setup, settings.training, batches, callbacks)
    measure(n_steps)
    return pd.concat(parts, ignore_index=True)[["step", "layer", "measure", "value"]]


def prediction_measures(
    model: LanguageModel, tokens: Tokens, references: Mapping[str, Tensor]
) -> pd.DataFrame:
    """Return `loss` (nats a token) and `from <reference>`: layer (0), measure, mean.

    Row 0, which has seen nothing, is left out. `references` are log-probabilities from row 1 on.
    """
    with evaluating(model):
        log_probs = model(tokens)[:, 1:].double()
    loss = negative_log_likelihood(log_probs, tokens[:, 1:]).mean()
    values = {"loss": float(loss)}
    for name, reference in references.items():
        distances = symmetrized_kl(log_probs, reference)
        values[f"from {name}"] = float(distances.mean())
    return pd.DataFrame({"layer": 0, "measure": list(values), "mean": list(values.values())})


def n_gram_losses(settings: Settings) -> pd.DataFrame:
    """Return who, loss: the losses of n-grams on the same sequences and rows as a model's loss."""
    tokens = held_out_sequences(settings)
    references = tasks.build(settings).references() | {"5-gram": five_gram(settings.task)}
    losses = {
        name: float(negative_log_likelihood(rule(tokens)[:, 1:], tokens[:, 1:]).mean())
        for name, rule in references.items()
    }
    return pd.DataFrame({"who": list(losses), "loss": list(losses.values())})


def snapshots(run: Run) -> Iterator[tuple[int, LanguageModel]]:
    """Yield the initial weights and every checkpoint, each with its step."""
    yield 0, fit.init_model(run.settings).eval()
    yield from run.checkpoints()


def turning_points(early: pd.DataFrame) -> pd.DataFrame:
    """Return `collapse` and `unigram` of each run: the steps of the largest mean cosine in the last
    layer and of the least distance from the unigram.

    `early` holds tables of `early_training` with columns that identify the run.
    """
    keys = [c for c in early if c not in ("step", "layer", "measure", "value")]
    rows = []
    for group, part in early.groupby(keys, sort=False):
        last = part[part["layer"] == part["layer"].max()]
        cosine = last[last["measure"] == "cosine"].set_index("step")["value"]
        distance = part[part["measure"] == "from unigram"].set_index("step")["value"]
        steps = {"collapse": cosine.idxmax(), "unigram": distance.idxmin()}
        rows.append(dict(zip(keys, group, strict=True)) | steps)
    return pd.DataFrame(rows)
