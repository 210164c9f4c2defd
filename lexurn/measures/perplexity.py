"""How well text is predicted: perplexity, and bits per byte, by which tokenizers compare.

    perplexity = exp(mean of −log p over all tokens)
    bits per byte = Σ −log₂ p / bytes of the text

The text is cut into sequences that do not overlap, and its end is a shorter one: every token is
predicted exactly once, from the tokens before it in its sequence. A sliding window would give
slightly lower values.
"""

from collections.abc import Mapping
from math import exp, log, nan

import numpy as np
import pandas as pd
import torch

from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.shapes import Predictor
from lexurn.tasks.text import TextTask


def of_task(
    task: TextTask, predictors: Mapping[str, Predictor], *, batch_size: int = 64
) -> pd.DataFrame:
    """Return the scores of each predictor (`who`) over the whole test text; see `of_text`."""
    tokens = task.text.tokens("test")
    options = {"n_bytes": task.text.tokenizer.n_bytes, "length": task.length}
    rows = [
        {"who": name, **of_text(predictor, tokens, batch_size=batch_size, **options)}
        for name, predictor in predictors.items()
    ]
    return pd.DataFrame(rows)


def of_text(
    predictor: Predictor,
    tokens: np.ndarray,
    *,
    n_bytes: np.ndarray,
    length: int,
    batch_size: int = 64,
) -> dict[str, float]:
    """Return the scores over all tokens of a text (time): nats (per token), sem (over sequences),
    perplexity, bits_per_byte, n_tokens, n_sequences, n_bytes.

    The text is cut into sequences of `length`, and `batch_size` of them are predicted together.
    `n_bytes` (vocab) is the number of bytes of each token.
    """
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
    total_bytes = int(n_bytes[tokens].sum())
    return {
        "nats": nats,
        "sem": sem,
        "perplexity": exp(nats),
        "bits_per_byte": nats * len(tokens) / log(2) / total_bytes,
        "n_tokens": len(tokens),
        "n_sequences": n,
        "n_bytes": total_bytes,
    }
