"""Text as tokens: a corpus encoded by a tokenizer, in arrays that are memory-mapped.

    text = load(settings.task)
    text.tokenizer.encode("To be"), text.tokens("test")      the tokenizer; all tokens of a split
    blocks(text.tokens("test"), 65)                          consecutive sequences without overlap
    windows(text.tokens("train"), 32, 65, generator=…)       sequences from random positions

The arrays are cached in `_build/texts` under a hash of the corpus and the tokenizer.
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

VALIDATION_SHARE = 0.1
"""The last part of `valid`, which chooses the best weights if the rest of `valid` is trained on."""


@dataclass(frozen=True)
class Text:
    """A corpus encoded by a tokenizer."""

    task: TextSettings

    @property
    def _splits(self) -> tuple[str, ...]:
        """The files of the corpus that are read."""
        return corpora.SPLITS if self.task.train_split == "train" else corpora.SPLITS[1:]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        corpus = self.task.corpus
        if self.task.tokenizer == "char":
            return tokenization.build_char_tokenizer(
                [corpora.read(corpus, split) for split in self._splits]
            )
        if self.task.tokenizer == "bpe":
            return tokenization.train_bpe(
                corpora.read(corpus, self.task.train_split), self.task.n_tokens
            )
        return tokenization.load_gpt2()

    def tokens(self, split: str) -> np.ndarray:
        """Return all tokens of a split (time), read-only.

        If `valid` is trained on, its last tenth is the split `valid` and the rest is `train`.
        """
        if self.task.train_split == "valid" and split in ("train", "valid"):
            tokens = self._load_tokens("valid")
            cut = int(len(tokens) * (1 - VALIDATION_SHARE))
            return tokens[:cut] if split == "train" else tokens[cut:]
        return self._load_tokens(split)

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Hashes that distinguish the corpus and the tokenizer from others of the same name."""
        return {
            "corpus": "-".join(map(self._hash, self._splits)),
            "tokenizer": self.tokenizer.fingerprint,
        }

    def _hash(self, split: str) -> str:
        return files.hash_bytes(corpora.read(self.task.corpus, split).encode(), 12)

    def _load_tokens(self, split: str) -> np.ndarray:
        """Map the tokens of a whole file into memory, and encode the file first if necessary."""
        key = f"{self._hash(split)}-{self.tokenizer.name}-{self.tokenizer.fingerprint}"
        path = paths.build_folder() / "texts" / f"{key}.npy"
        if not path.exists():
            dtype = np.uint16 if len(self.tokenizer.pieces) <= 2**16 else np.uint32
            tokens = self.tokenizer.encode(corpora.read(self.task.corpus, split))
            content = io.BytesIO()
            np.save(content, np.array(tokens, dtype))
            with files.store_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, content.getvalue())
        return np.load(path, mmap_mode="r")


@cache
def load(task: TextSettings) -> Text:
    """Return the text of these settings; its files are read on first use."""
    return Text(task)


def blocks(tokens: np.ndarray, length: int) -> Tokens:
    """Cut a text into consecutive sequences (batch length); an incomplete last one is dropped."""
    n = len(tokens) // length
    return torch.from_numpy(tokens[: n * length].astype(np.int64).reshape(n, length))


def windows(tokens: np.ndarray, n: int, length: int, *, generator: Generator) -> Tokens:
    """Draw `n` sequences of `length` tokens from uniform positions in a text."""
    starts = torch.randint(len(tokens) - length + 1, (n, 1), generator=generator).numpy()
    return torch.from_numpy(tokens[starts + np.arange(length)].astype(np.int64))
