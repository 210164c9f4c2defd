"""Canonical renaming: a model reads every token under the number of its first appearance.

    colours   b  c  b  a        first new token 0, next new one 1, …
    read as   0  1  0  2

The model predicts in these canonical names. A token that has been seen has the probability of its
canonical name. At a row where k tokens have been seen, all names from k on mean "a new token", and
the tokens not yet seen share this probability equally:

    p(v) = q(name of v)                      if v has been seen
    p(v) = Σ_{j ≥ k} q(j) / (V − k)          if not

So the prediction is invariant under renaming by construction, with ordinary learned embeddings.
"""

from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor

from lexurn.base.shapes import LogProbs, Tokens


def predict(
    model: Callable[[Tokens], LogProbs], tokens: Tokens, *, vocab_size: int, n_special: int = 0
) -> LogProbs:
    """Return log-probabilities of tokens (batch time vocab) from a model of canonical names.

    `model` maps canonical names to log-probabilities of canonical names. The first `n_special`
    tokens keep their names.
    """
    first = first_appearances(tokens, vocab_size)
    first[:, :n_special] = torch.arange(-n_special, 0, device=tokens.device)
    names = first.argsort(stable=True, dim=-1).argsort(-1)  # batch vocab: unseen tokens come last
    log_q = model(names.gather(1, tokens))
    rows = torch.arange(tokens.shape[1], device=tokens.device)
    is_seen = first[:, None] < rows[:, None]  # batch time vocab
    n_seen = is_seen.sum(-1, keepdim=True)
    is_new_name = torch.arange(vocab_size, device=tokens.device) >= n_seen
    is_new_name |= n_seen == vocab_size  # no token is new: any finite value will do
    log_new = log_q.masked_fill(~is_new_name, -torch.inf).logsumexp(-1, keepdim=True)
    log_new = log_new - (vocab_size - n_seen).clamp_min(1).log()
    own = log_q.gather(-1, names[:, None].expand_as(log_q))
    return torch.where(is_seen, own, log_new)


def first_appearances(tokens: Tokens, vocab_size: int) -> Int64[Tensor, "batch vocab"]:
    """Return the position at which each token first appears; one behind the end if it does not."""
    n_rows = tokens.shape[1]
    positions = torch.arange(n_rows, device=tokens.device).expand_as(tokens)
    first = tokens.new_full((len(tokens), vocab_size), n_rows)
    return first.scatter_reduce(1, tokens, positions, "amin")
