"""Text: sequences from anywhere in the training text, and held-out ones that do not overlap.

The best predictor is unknown here. The references are counts of single tokens and of pairs.
"""

import torch

from lexurn.base.errors import ParameterError
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.text import Text, blocks, load, windows
from lexurn.predictors.counting import Bigram, Unigram
from lexurn.tasks.base import Task

MAX_BIGRAM_TOKENS = 4096  # of the largest vocabulary whose pairs are counted, in its square


class TextTask(Task):
    """Sequences of context_length + 1 tokens of a corpus, by a tokenizer."""

    tracks_mixture = False
    first_row = 0  # every token counts
    splits = ("test",)
    optimum = ""

    @property
    def text(self) -> Text:
        return load(self.settings.task)

    def check(self) -> None:
        super().check()
        for split in ("train", "valid", "test"):
            n_tokens = len(self.text.tokens(split))
            if n_tokens < self.length:
                raise ParameterError(
                    f"context_length={self.length - 1} needs texts of {self.length} tokens or "
                    f"more, but {split} of corpus={self.settings.task.corpus} has {n_tokens}; "
                    "lower context_length, or use a longer text"
                )

    @property
    def vocab_size(self) -> int:
        return self.settings.task.vocab_size or len(self.text.tokenizer.pieces)

    @property
    def fingerprint(self) -> dict[str, str]:
        return self.text.fingerprint

    def sample(self, n: int, length: int, *, generator: torch.Generator) -> Tokens:
        tokens = windows(self.text.tokens("train"), n, length, generator=generator)
        return self.rename(tokens, generator=generator)

    def held_out(self) -> dict[str, Tokens]:
        """Return evenly spaced sequences of the test text: n_test_samples, or all that it has."""
        return {"test": self._spaced("test")}

    def validation(self) -> Tokens:
        """Return sequences of the validation text, with renamed tokens where training has them."""
        return self.rename(self._spaced("valid"), generator=self.stream("validation"))

    def references(self) -> dict[str, Predictor]:
        """Return counts of the training text: of tokens, and of pairs if there is room for them."""
        tokens = self.text.tokens("train")
        references: dict[str, Predictor] = {"unigram": Unigram(tokens, self.vocab_size)}
        if self.vocab_size <= MAX_BIGRAM_TOKENS:
            references["bigram"] = Bigram(
                tokens, self.vocab_size, validation=self.text.tokens("valid")
            )
        return references

    def rename(self, tokens: Tokens, *, generator: torch.Generator) -> Tokens:
        """Rename as every task does, but sequence by sequence, because vocabularies are large."""
        if not self.settings.task.label_permuted:
            return tokens
        size = self.vocab_size
        return torch.stack([torch.randperm(size, generator=generator)[row] for row in tokens])

    def _spaced(self, split: str) -> Tokens:
        sequences = blocks(self.text.tokens(split), self.length)
        n = min(self.settings.training.n_test_samples, len(sequences))
        return sequences[torch.arange(n) * len(sequences) // n]
