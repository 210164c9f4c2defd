"""How well text is predicted: perplexity, and bits per byte, by which tokenizers compare.

    perplexity = exp(mean of −log p over all tokens)
    bits per byte = Σ −log₂ p / bytes of the text

The text is cut into sequences that do not overlap, and its end is a shorter one: every token is
predicted exactly once, from the tokens before it in its sequence. A sliding window would give
slightly lower values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, nan

import numpy as np
import torch

from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.shapes import Predictor
from lexurn.tasks.text import TextTask


@dataclass(frozen=True)
class Perplexity:
    """`nats` a token with its standard error over sequences, and what follows from it."""

    nats: float
    sem: float
    n_tokens: int
    n_sequences: int
    n_bytes: int

    @property
    def perplexity(self) -> float:
        return exp(self.nats)

    @property
    def bits_per_byte(self) -> float:
        return self.nats * self.n_tokens / log(2) / self.n_bytes


def of_task(
    task: TextTask, predictors: Mapping[str, Predictor], *, batch_size: int = 64
) -> dict[str, Perplexity]:
    """Return the perplexity of each predictor over all tokens of the test text."""
    tokens = task.text.tokens("test")
    return {
        name: of_text(
            predictor,
            tokens,
            n_bytes=task.text.tokenizer.n_bytes,
            length=task.settings.task.context_length + 1,
            batch_size=batch_size,
        )
        for name, predictor in predictors.items()
    }


def of_text(
    predictor: Predictor,
    tokens: np.ndarray,
    *,
    n_bytes: np.ndarray,
    length: int,
    batch_size: int = 64,
) -> Perplexity:
    """Return the perplexity over all tokens of a text (time).

    The text is cut into sequences of `length`, and `batch_size` of them are predicted together.
    `n_bytes` (vocab) is the number of bytes of each token. Raises ValueError for a text without
    tokens.
    """
    if len(tokens) == 0:
        raise ValueError("a perplexity needs at least one token, got none")
    text = torch.from_numpy(tokens.astype(np.int64))
    n_in_full = len(text) // length * length
    batches = [*text[:n_in_full].view(-1, length).split(batch_size), text[n_in_full:][None]]
    total = torch.cat(
        [
            negative_log_likelihood(as_double(predictor(batch)), batch).sum(-1)
            for batch in batches
            if batch.numel()
        ]
    )
    size = torch.tensor([len(sequence) for sequence in text.split(length)], dtype=torch.float64)
    nats = float(total.sum() / size.sum())
    n = len(total)
    off = total - nats * size  # of a ratio of means
    sem = float((off.square().sum() * n / (n - 1)) ** 0.5 / size.sum()) if n > 1 else nan
    return Perplexity(nats, sem, len(tokens), n, int(n_bytes[tokens].sum()))
