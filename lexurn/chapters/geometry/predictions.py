"""The scores of a run's predictions on the test text."""

import numpy as np
import pandas as pd

from lexurn import tasks
from lexurn.base.shapes import Predictor
from lexurn.chapters.geometry.ngrams import KneserNey, WittenBell
from lexurn.measures import perplexity
from lexurn.runs import fit
from lexurn.runs.run import Run
from lexurn.settings import Settings
from lexurn.tasks.base import Task

ORDERS = (3, 4, 5, 6)


def perplexities(run: Run) -> pd.DataFrame:
    """Return the scores of the best weights on all tokens of the test text.

    Columns: who, nats, sem, perplexity, bits_per_byte, n_tokens.
    """
    return _scores(run.task, {"model": run.predictor})


def n_gram_perplexities(settings: Settings) -> pd.DataFrame:
    """Return the same of n-grams of the training text: those of the task, and smoothed ones.

    Kneser–Ney n-grams have the orders 3 … 6, and one of order 5 has Witten–Bell smoothing.
    """
    task = tasks.build(settings)
    tokens = np.asarray(task.text.tokens("train"))
    smoothed = {
        f"{order}-gram (Kneser–Ney)": KneserNey(tokens, task.vocab_size, order=order)
        for order in ORDERS
    }
    smoothed |= {"5-gram (Witten–Bell)": WittenBell(tokens, task.vocab_size, order=5)}
    return _scores(task, task.references() | smoothed)


def _scores(task: Task, predictors: dict[str, Predictor]) -> pd.DataFrame:
    scores = perplexity.of_task(task, predictors, batch_size=fit.eval_batch_size(task))
    return scores[["who", "nats", "sem", "perplexity", "bits_per_byte", "n_tokens"]]
