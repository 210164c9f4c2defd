"""Symmetries that an exact predictor has, and a model must learn.

Of exchangeable data, such as the flips of one coin, only the counts matter: not the order in which they came
(`permutation`), and where the prior is symmetric not which side is which (`flip`). Both are told as one number for each
sequence, a total variation: 0 for the exact predictor. `cosines` looks for the first inside of a model.
"""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens


def permutation(
    predictor: Predictor, tokens: Tokens, *, generator: Generator, n_pairs: int = 4
) -> Float[Tensor, "batch"]:
    """How far predictions after the same balls in two random orders are apart: total variation at the last row.

    The mean over `n_pairs` pairs of orders, uniform over all orders of each sequence. Its last token is not seen.
    """
    total = torch.zeros(len(tokens), dtype=torch.float64)
    for _ in range(n_pairs):
        first, second = (predictor(shuffled(tokens, generator=generator))[:, -1] for _ in range(2))
        total += divergences.total_variation(first, second).cpu()
    return total / n_pairs


def shuffled(tokens: Tokens, *, generator: Generator) -> Tokens:
    """Each sequence with its tokens but the last in a random order of its own."""
    order = torch.rand(
        len(tokens), tokens.shape[1] - 1, generator=generator, device=generator.device
    ).argsort(-1)
    return torch.cat([tokens[:, :-1].gather(1, order.to(tokens.device)), tokens[:, -1:]], 1)


def flip(predictor: Predictor, tokens: Tokens, *, vocab_size: int = 2) -> Float[Tensor, "batch"]:
    """How far the prediction is from the one for the sequence with its colours in reverse, reversed back: total
    variation, mean over rows 1 … C."""
    back = predictor(vocab_size - 1 - tokens).flip(-1)
    return divergences.total_variation(predictor(tokens), back)[:, 1:].mean(-1)


def cosines(
    vectors: Float[Tensor, "batch d"], seen: Tokens, *, generator: Generator
) -> pd.DataFrame:
    """Cosines of vectors of two sequences, each sequence in one pair with equal counts and in one of the control.

    A line a pair: heads (of colour 1, in the first), pair (`same counts, same last`, `same counts, other last`, and the
    control `other counts, same last`), cosine. `seen`: what was seen before the row of these vectors. Pairs of a kind
    share no sequence, so that errors over them are errors.
    """
    heads, last = seen.sum(-1), seen[:, -1]
    order = torch.randperm(len(seen), generator=generator)
    alike = order[torch.argsort(heads[order], stable=True)]  # by counts, at random within
    other = order[torch.argsort(last[order], stable=True)]
    tables = []
    for members, same_counts in ((alike, True), (other, False)):
        one, two = members[: len(members) // 2 * 2].view(-1, 2).T
        kept = ((heads[one] == heads[two]) == same_counts) & (seen[one] != seen[two]).any(-1)
        kept &= same_counts | (last[one] == last[two])
        one, two = one[kept], two[kept]
        cosine = torch.cosine_similarity(vectors[one].double(), vectors[two].double(), dim=-1)
        lasts = ["same" if each else "other" for each in (last[one] == last[two]).tolist()]
        names = [f"{'same' if same_counts else 'other'} counts, {each} last" for each in lasts]
        tables.append(
            pd.DataFrame({"heads": heads[one].tolist(), "pair": names, "cosine": cosine.tolist()})
        )
    return pd.concat(tables, ignore_index=True)
