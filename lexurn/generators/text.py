"""Text as tokens: what a corpus is by a tokenizer, in arrays that are mapped, not read, into memory.

    text = load(settings.task)
    text.tokenizer.encode("To be"), text.tokens("test")      a tokenizer, and all tokens of a split
    blocks(text.tokens("test"), 65)                          cut into sequences, one behind the other
    windows(text.tokens("train"), 32, 65, generator=…)       sequences from anywhere

The arrays lie in `_build/texts`, by what they were made from, and are made again if that has changed.
"""

import io
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from torch import Generator

from lexurn.base import files, paths
from lexurn.base.shapes import Tokens
from lexurn.generators import corpora, tokenization
from lexurn.generators.tokenization import Tokenizer
from lexurn.settings import TextSettings

HELD_BACK = 0.1
"""The last part of `valid` chooses the best weights where the rest of it is trained on."""


@dataclass(frozen=True)
class Text:
    """A corpus by a tokenizer."""

    task: TextSettings

    @cached_property
    def tokenizer(self) -> Tokenizer:
        corpus, kind = self.task.corpus, self.task.tokenizer
        if kind == "char":
            there = corpora.SPLITS if self.task.trained_on == "train" else corpora.SPLITS[1:]
            return tokenization.characters([corpora.read(corpus, split) for split in there])
        if kind == "bpe":
            return tokenization.learned(
                corpora.read(corpus, self.task.trained_on), self.task.n_tokens
            )
        return tokenization.gpt2()

    def tokens(self, split: str) -> np.ndarray:
        """All tokens of a split (time), read-only. Where `valid` is trained on, it is the part of it that is not."""
        if self.task.trained_on == "valid" and split in ("train", "valid"):
            whole = self._mapped("valid")
            cut = int(len(whole) * (1 - HELD_BACK))
            return whole[:cut] if split == "train" else whole[cut:]
        return self._mapped(split)

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """What tells the corpus and the tokenizer from others of the same name."""
        splits = corpora.SPLITS if self.task.trained_on == "train" else corpora.SPLITS[1:]
        return {
            "corpus": "-".join(map(self._hash, splits)),
            "tokenizer": self.tokenizer.fingerprint,
        }

    def _hash(self, split: str) -> str:
        return files.hash_bytes(corpora.read(self.task.corpus, split).encode(), 12)

    def _mapped(self, split: str) -> np.ndarray:
        made_from = f"{self._hash(split)}-{self.tokenizer.name}-{self.tokenizer.fingerprint}"
        path = paths.build() / "texts" / f"{made_from}.npy"
        if not path.exists():
            small = np.uint16 if len(self.tokenizer.pieces) <= 2**16 else np.uint32
            content = io.BytesIO()
            np.save(
                content,
                np.array(self.tokenizer.encode(corpora.read(self.task.corpus, split)), small),
            )
            with files.worded(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, content.getvalue())
        return np.load(path, mmap_mode="r")


@cache
def load(task: TextSettings) -> Text:
    """The text that these settings mean; what it is made of is read when it is asked for."""
    return Text(task)


def blocks(tokens: np.ndarray, length: int) -> Tokens:
    """All whole sequences of `length`, one behind the other (batch length): no token comes twice."""
    n = len(tokens) // length
    return torch.from_numpy(tokens[: n * length].astype(np.int64).reshape(n, length))


def windows(tokens: np.ndarray, n: int, length: int, *, generator: Generator) -> Tokens:
    """`n` sequences of `length` from anywhere in the text."""
    starts = torch.randint(len(tokens) - length + 1, (n, 1), generator=generator).numpy()
    return torch.from_numpy(tokens[starts + np.arange(length)].astype(np.int64))
