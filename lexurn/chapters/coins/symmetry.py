"""Symmetries that the exact predictor has and a model must learn.

For exchangeable data, such as the flips of one coin, only the counts matter: not the order of the
flips (`permutation_error`), nor, under a symmetric prior, which side is which (`flip_error`). Both
are total variations, one per sequence, and are 0 for the exact predictor. `pair_cosines` looks for
invariance to order in a model's activations.
"""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lexurn.base.divergences import LogP, as_double
from lexurn.base.shapes import Predictor, Tokens


def total_variation(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """Return ½ Σ |p − q| from log-probabilities over the last axis; it lies between 0 and 1."""
    return (as_double(log_p).exp() - as_double(log_q).exp()).abs().sum(-1) / 2


def permutation_error(
    predictor: Predictor, tokens: Tokens, *, generator: Generator, n_pairs: int = 4
) -> Float[Tensor, "batch"]:
    """Return the total variation between predictions after the same tokens in two random orders.

    The distance is taken at the last row, which does not see the last token, and averaged over
    `n_pairs` pairs of uniformly drawn orders of each sequence.
    """
    total = torch.zeros(len(tokens), dtype=torch.float64)
    for _ in range(n_pairs):
        first = predictor(shuffle(tokens, generator=generator))[:, -1]
        second = predictor(shuffle(tokens, generator=generator))[:, -1]
        total += total_variation(first, second).cpu()
    return total / n_pairs


def shuffle(tokens: Tokens, *, generator: Generator) -> Tokens:
    """Return each sequence with all tokens but its last one in an independent random order."""
    shape = (len(tokens), tokens.shape[1] - 1)
    order = torch.rand(shape, generator=generator, device=generator.device).argsort(-1)
    return torch.cat([tokens[:, :-1].gather(1, order.to(tokens.device)), tokens[:, -1:]], 1)


def flip_error(
    predictor: Predictor, tokens: Tokens, *, vocab_size: int = 2
) -> Float[Tensor, "batch"]:
    """Return the total variation that reversing the colours of a sequence causes.

    The prediction for the reversed sequence is reversed back; the mean is over rows 1 … C.
    """
    reversed_back = predictor(vocab_size - 1 - tokens).flip(-1)
    return total_variation(predictor(tokens), reversed_back)[:, 1:].mean(-1)


def pair_cosines(
    vectors: Float[Tensor, "batch d"], seen: Tokens, *, generator: Generator
) -> pd.DataFrame:
    """Return the cosines between vectors of random pairs of sequences, one row per pair.

    `seen` holds the tokens before the row of the vectors. Columns: heads (of colour 1, in the first
    sequence), pair (`same counts, same last`, `same counts, other last`, and the control
    `other counts, same last`), cosine. Pairs of one kind share no sequence, so their cosines are
    independent.
    """
    heads = seen.sum(-1)
    last = seen[:, -1]
    order = torch.randperm(len(seen), generator=generator)
    by_counts = order[torch.argsort(heads[order], stable=True)]  # random among equal counts
    by_last = order[torch.argsort(last[order], stable=True)]
    tables = []
    for members, counts in ((by_counts, "same"), (by_last, "other")):
        one, two = members[: len(members) // 2 * 2].view(-1, 2).T
        has_same_counts = heads[one] == heads[two]
        has_same_last = last[one] == last[two]
        is_valid = has_same_counts if counts == "same" else ~has_same_counts & has_same_last
        is_valid &= (seen[one] != seen[two]).any(-1)
        one, two = one[is_valid], two[is_valid]
        cosine = torch.cosine_similarity(vectors[one].double(), vectors[two].double(), dim=-1)
        pairs = [
            f"{counts} counts, {'same' if is_same else 'other'} last"
            for is_same in has_same_last[is_valid].tolist()
        ]
        columns = {"heads": heads[one].tolist(), "pair": pairs, "cosine": cosine.tolist()}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
