"""Completion of prompts, token by token."""

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from lexurn.base.divergences import as_double
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.strings import PAD


@torch.no_grad()
def complete_with_predictor(
    predictor: Predictor, prompts: Tokens, *, limit: int, generator: Generator | None = None
) -> Int64[Tensor, "batch limit"]:
    """Return prompts completed to `limit` tokens by any predictor of strings.

    The predictor recomputes all rows for every token, and decoding does not stop at EOS. It is
    greedy, or sampled if there is a `generator`.
    """
    tokens = torch.full((len(prompts), limit), PAD)
    tokens[:, : prompts.shape[1]] = prompts
    for row in range(prompts.shape[1], limit):
        log_probs = predictor(tokens[:, : row + 1])[:, row]
        tokens[:, row] = choose_tokens(log_probs, generator)[:, 0]
    return tokens


def choose_tokens(
    log_probs: Float[Tensor, "batch vocab"], generator: Generator | None
) -> Int64[Tensor, "batch 1"]:
    """Return the most probable tokens, or with a generator, tokens sampled by inversion.

    The generator is on the CPU, so that every device samples the same tokens from the same
    probabilities.
    """
    if generator is None:
        return log_probs.argmax(-1, keepdim=True)
    thresholds = as_double(log_probs).exp().cumsum(-1)
    uniform = torch.rand(len(thresholds), 1, generator=generator, dtype=torch.float64)
    uniform = uniform.to(thresholds.device) * thresholds[:, -1:]
    return torch.searchsorted(thresholds, uniform, right=True).to(log_probs.device)
