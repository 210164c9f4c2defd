"""How well text is predicted: perplexity, and bits per byte, by which tokenizers compare.

    perplexity = exp(mean of −log p over all tokens)
    bits per byte = Σ −log₂ p / bytes of the text

The text is cut into sequences that do not overlap, and its end is a shorter one: every token is
predicted exactly once, from the tokens before it in its sequence. A sliding window would give
slightly lower values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch

from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.shapes import Predictor, Tokens
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
    def perplexity_sem(self) -> float:
        return self.perplexity * self.sem

    @property
    def bits_per_byte(self) -> float:
        return self.nats * self.n_tokens / log(2) / self.n_bytes

    @property
    def bits_per_byte_sem(self) -> float:
        return self.sem * self.n_tokens / log(2) / self.n_bytes


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
    """Of all tokens of a text (time), in sequences of `length`, `batch_size` of them side by side.

    `n_bytes` (vocab) is the number of bytes of each token. Raises ValueError for a text without
    tokens.
    """
    if len(tokens) == 0:
        raise ValueError("a perplexity needs at least one token, got none")
    sums, sizes = [], []
    for batch in _sequences(tokens, length, batch_size):
        sums.append(negative_log_likelihood(as_double(predictor(batch)), batch).sum(-1))
        sizes.append(torch.full((len(batch),), batch.shape[1], dtype=torch.float64))
    total, size = torch.cat(sums), torch.cat(sizes)
    nats = float(total.sum() / size.sum())
    n = len(total)
    off = total - nats * size  # of a ratio of means
    sem = (
        float((off.square().sum() * n / max(n - 1, 1)) ** 0.5 / size.sum())
        if n > 1
        else float("nan")
    )
    return Perplexity(nats, sem, len(tokens), n, int(n_bytes[tokens].sum()))


def _sequences(tokens: np.ndarray, length: int, batch_size: int) -> Iterator[Tokens]:
    n = len(tokens) // length
    for first in range(0, n, batch_size):
        part = tokens[first * length : min(first + batch_size, n) * length]
        yield torch.from_numpy(part.astype(np.int64).reshape(-1, length))
    if rest := len(tokens) - n * length:
        yield torch.from_numpy(tokens[-rest:].astype(np.int64)[None])
