"""Training, validation and test data that are the same strings.

a^n b^n has one string per length. If training takes them all, every string of a validation set was
trained on, and the validation loss cannot see what was memorized. Prompts that break a rule are not
touched by this: no training string begins like them.
"""

import pandas as pd
from torch import Generator

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.settings import Settings


def seen_share(settings: Settings, split: str, *, n_trained: int, stream: Generator) -> float:
    """Return the share of the strings of a split that are among `n_trained` training strings."""
    task = tasks.build(settings)
    length = task.held_out()[split].shape[1]
    trained = {tuple(x) for x in task.sample(n_trained, length, generator=stream).tolist()}
    asked = [tuple(string) for string in task.held_out()[split].tolist()]
    return sum(string in trained for string in asked) / len(asked)


def pairs(published: Settings, corrected: Settings, n_trained: int) -> pd.DataFrame:
    """Return a pair: the share seen of a split that training covers, and of one kept from it.

    The settings of `corrected` keep strings from training (`unseen`); their split is `unseen`.
    """
    stream = generator(published.training.seed, "same data")
    row = {
        "unit": published.task.language,
        "published": seen_share(published, "in_distribution", n_trained=n_trained, stream=stream),
        "corrected": seen_share(corrected, "unseen", n_trained=n_trained, stream=stream),
    }
    return pd.DataFrame([row])
