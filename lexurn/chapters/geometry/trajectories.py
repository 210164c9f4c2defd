"""The geometry of a run along its training, beside what the model predicts at that time.

    along_training(run)    measures of the layers, the loss, and distances from n-gram models
    early_training(run)    the mean cosine, isotropy, and the same distances

At the beginning, and at every checkpoint. Distances are symmetrized KL divergences in nats a token.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd

from lexurn import tasks
from lexurn.base.divergences import negative_log_likelihood, symmetrized_kl
from lexurn.base.shapes import LogProbs, Tokens
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


def early_training(run: Run) -> pd.DataFrame:
    """Return step, layer, measure, value, without the measures that take longer."""
    tokens = held_out_sequences(run.settings)
    references = {name: rule(tokens)[:, 1:] for name, rule in run.references.items()}
    parts = []
    for step, model in snapshots(run):
        measures = layers.layer_measures(model, tokens, backward=False)
        measures = measures[measures["measure"].isin(["cosine", "norm", "spread"])]
        predicted = prediction_measures(model, tokens, references)
        table = pd.concat([measures, predicted], ignore_index=True)
        parts.append(table.rename(columns={"mean": "value"}).assign(step=step))
    columns = ["step", "layer", "measure", "value"]
    return pd.concat(parts, ignore_index=True)[columns]


def prediction_measures(
    model: LanguageModel, tokens: Tokens, references: dict[str, LogProbs]
) -> pd.DataFrame:
    """Return `loss` (nats a token) and `from <reference>`: layer (0), measure, mean.

    Row 0, which has seen nothing, is left out. `references` are predictions from row 1 on.
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

    `early` holds tables of `early_training` with columns that identify the run. Between checkpoints
    a step is where a parabola through the extreme and its two neighbours, in the root of the step,
    has its vertex.
    """
    keys = [c for c in early if c not in ("step", "layer", "measure", "value")]
    rows = []
    for group, part in early.groupby(keys, sort=False):
        last = part[part["layer"] == part["layer"].max()]
        cosine = last[last["measure"] == "cosine"].set_index("step")["value"]
        distance = part[part["measure"] == "from unigram"].set_index("step")["value"]
        steps = {"collapse": vertex(cosine), "unigram": vertex(-distance.map(np.log))}
        rows.append(dict(zip(keys, group, strict=True)) | steps)
    return pd.DataFrame(rows)


def vertex(values: pd.Series) -> float:
    """Return the step at which values by step are largest, between checkpoints by a parabola."""
    place = int(values.argmax())
    steps = values.index.to_numpy(float)
    if not 0 < place < len(values) - 1:
        return float(steps[place])
    near = slice(place - 1, place + 2)
    x = np.sqrt(steps[near])
    a, b, _ = np.polyfit(x - x[1], values.to_numpy()[near], 2)
    return float((x[1] - b / (2 * a)) ** 2) if a < 0 else float(steps[place])
