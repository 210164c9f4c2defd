"""Copies: tokens that share their recent past, and so lie beside each other for that reason alone.

Two tokens are *copies of length k* if the last k tokens, themselves included, are the same. A cloud
`without copies` has one token of each such k-gram. The estimators of dimension look at nearest
neighbours, and those are mostly copies.

A *substitution cipher* replaces every character by another one, always the same: it keeps every
repetition of a text and breaks everything that a model has learned about it. Shuffling breaks both.
"""

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.shapes import Tokens
from lexurn.generators.strings import PAD
from lexurn.models import LanguageModel

LENGTH = 4
"""The number of last tokens that copies share, unless said otherwise."""


def gram_types(tokens: Tokens, length: int) -> Int64[Tensor, "batch seen"]:
    """Return a number for the last `length` tokens at each token that a model sees.

    Equal numbers stand for equal tokens. The last token of a sequence is left out, because no model
    sees it; at the beginning of a sequence, the missing tokens are one more symbol.
    """
    seen = tokens[:, :-1]
    n_rows = seen.shape[1]
    padded = torch.nn.functional.pad(seen, (length - 1, 0), value=-1)
    grams = torch.stack([padded[:, i : i + n_rows] for i in range(length)], -1)
    _, numbers = torch.unique(grams.flatten(0, 1), dim=0, return_inverse=True)
    return numbers.view(seen.shape)


def token_grams(model: LanguageModel, tokens: Tokens, length: int) -> Int64[Tensor, "points"]:
    """Return the number of each token's k-gram, in the order of `layers.token_vectors`."""
    numbers = gram_types(tokens, length)
    return numbers[tokens[:, :-1] != PAD] if model.has_special_tokens else numbers.flatten()


def repeated_share(types: Int64[Tensor, "points"]) -> float:
    """Return the share of points whose type occurs more than once."""
    _, numbers, counts = torch.unique(types, return_inverse=True, return_counts=True)
    return float((counts[numbers] > 1).double().mean())


def encipher(tokens: Tokens, vocab_size: int, *, generator: Generator) -> Tokens:
    """Return the text with every token replaced by another one, always the same.

    Only tokens that occur are exchanged, so the set of tokens stays; each is replaced by the next
    one of a random circle.
    """
    used = torch.unique(tokens)
    circle = used[torch.randperm(len(used), generator=generator)]
    key = torch.arange(vocab_size)
    key[circle] = circle.roll(1)
    return key[tokens]
