"""Text: sequences from anywhere in the training text, and held-out ones that do not overlap.

The best predictor is unknown here. The references are counts of single tokens and of pairs.
"""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator as stream
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators import text
from lexurn.predictors.ngrams import Bigram, Unigram
from lexurn.settings import Settings
from lexurn.tasks.base import Task

MAX_BIGRAM_TOKENS = 4096
"""The largest vocabulary whose pairs are counted: their table is the square of it."""


class TextTask(Task):
    """Sequences of context_length + 1 tokens of a corpus, by a tokenizer."""

    tracks_mixture = False
    first_row = 0  # every token counts
    splits = ("test",)
    optimum = ""

    def __init__(self, settings: Settings, *, tensors: Mapping[str, Tensor] | None = None):
        super().__init__(settings)
        self.text = text.load(settings.task)

    def check(self) -> None:
        super().check()
        task = self.settings.task
        length = task.context_length + 1
        for split in ("train", "valid", "test"):
            n_tokens = len(self.text.tokens(split))
            if n_tokens < length:
                raise ParameterError(
                    f"context_length={length - 1} needs texts of {length} tokens or more, but "
                    f"{split} of corpus={task.corpus} has {n_tokens}; lower "
                    "context_length, or use a longer text"
                )

    @property
    def vocab_size(self) -> int:
        return self.settings.task.vocab_size or len(self.text.tokenizer.pieces)

    @property
    def fingerprint(self) -> dict[str, str]:
        return self.text.fingerprint

    def sample(self, n: int, length: int, *, generator: Generator) -> Tokens:
        tokens = text.windows(self.text.tokens("train"), n, length, generator=generator)
        return self._relabel(tokens, generator) if self.settings.task.label_permuted else tokens

    def held_out(self) -> dict[str, Tokens]:
        """Return evenly spaced sequences of the test text: n_test_samples, or all that it has."""
        return {"test": self._spaced("test")}

    def validation(self) -> Tokens:
        """Return sequences of the validation text, with renamed tokens where training has them."""
        tokens = self._spaced("valid")
        draws = stream(self.settings.training.seed, "validation")
        return self._relabel(tokens, draws) if self.settings.task.label_permuted else tokens

    def references(self) -> dict[str, Predictor]:
        """Return counts of the training text: of tokens, and of pairs if there is room for them."""
        tokens = self.text.tokens("train")
        references: dict[str, Predictor] = {"unigram": Unigram(tokens, self.vocab_size)}
        if self.vocab_size <= MAX_BIGRAM_TOKENS:
            other = self.text.tokens("valid")
            references["bigram"] = Bigram(tokens, self.vocab_size, validation=other)
        return references

    def _relabel(self, tokens: Tokens, generator: Generator) -> Tokens:
        """Return every sequence with its tokens renamed by a uniform permutation of its own."""
        renamed = [torch.randperm(self.vocab_size, generator=generator)[row] for row in tokens]
        return torch.stack(renamed)

    def _spaced(self, split: str) -> Tokens:
        length = self.settings.task.context_length + 1
        sequences = text.blocks(self.text.tokens(split), length)
        n = min(self.settings.training.n_test_samples, len(sequences))
        return sequences[torch.arange(n) * len(sequences) // n]
