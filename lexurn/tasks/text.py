"""The data of text: sequences from anywhere in the training text, and held-out ones that do not overlap.

Nobody knows the best prediction here. The references are what counting gives: of tokens alone, and of pairs.
"""

import torch

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.generators import text
from lexurn.predictors.ngrams import Bigram, Unigram
from lexurn.settings import Settings

MOST_TOKENS = 4096
"""Pairs are counted for so many tokens at most: their table is the square of that."""


def training_pool(settings: Settings) -> Pool | None:
    """There are no urns."""
    return None


def weights(settings: Settings) -> None:
    """All sequences count alike."""
    return None


def sample_like_training(
    settings: Settings, pool: Pool | None, n: int, stream: torch.Generator
) -> Tokens:
    """`n` sequences of context_length + 1 tokens from anywhere in the training text; their tokens perhaps renamed."""
    found = text.load(settings.task)
    tokens = text.windows(
        found.tokens("train"), n, settings.task.context_length + 1, generator=stream
    )
    return _renamed(settings, tokens, stream) if settings.task.label_permuted else tokens


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """Counts of the training text: of tokens, and of pairs where the vocabulary is not too large."""
    found, size = text.load(settings.task), settings.task.vocab_size
    tokens = found.tokens("train")
    counted: dict[str, Predictor] = {"unigram": Unigram(tokens, size)}
    return counted | (
        {"bigram": Bigram(tokens, size, validation=found.tokens("valid"))}
        if size <= MOST_TOKENS
        else {}
    )


def optimum(settings: Settings) -> str:
    """Not known: none of the references."""
    return ""


def held_out(settings: Settings, pool: Pool | None) -> dict[str, Tokens]:
    """Sequences of the test text, evenly spaced, without overlap; n_test_samples, or as many as it has."""
    return {"test": _spaced(settings, "test")}


def validation(settings: Settings, pool: Pool | None) -> Tokens:
    """Sequences of the validation text, with renamed tokens where training has them: they choose the best weights."""
    tokens = _spaced(settings, "valid")
    stream = generator(settings.training.seed, "validation")
    return _renamed(settings, tokens, stream) if settings.task.label_permuted else tokens


def require_data(settings: Settings) -> None:
    """Raise ParameterError where the corpus or the tokenizer cannot be had, or a split is shorter than a sequence."""
    found, length = text.load(settings.task), settings.task.context_length + 1
    for split in ("train", "valid", "test"):
        if (n := len(found.tokens(split))) < length:
            raise ParameterError(
                f"context_length={length - 1} needs texts of {length} tokens or more, but {split} of corpus="
                f"{settings.task.corpus} has {n}; lower context_length, or use a longer text"
            )


def fingerprint(settings: Settings) -> dict[str, str]:
    """Of the corpus, and of the tokenizer."""
    return text.load(settings.task).fingerprint


def _renamed(settings: Settings, tokens: Tokens, stream: torch.Generator) -> Tokens:
    """Every sequence with its tokens renamed by a uniform permutation of its own."""
    return torch.stack(
        [torch.randperm(settings.task.vocab_size, generator=stream)[each] for each in tokens]
    )


def _spaced(settings: Settings, split: str) -> Tokens:
    whole = text.blocks(text.load(settings.task).tokens(split), settings.task.context_length + 1)
    n = min(settings.training.n_test_samples, len(whole))
    return whole[torch.arange(n) * len(whole) // n]
