"""Text as tokens: tokenizers, and corpora encoded by them.

    text = load(settings.task)
    text.tokenizer.encode("To be"), text.tokens("test")      the tokenizer; all tokens of a split
    blocks(text.tokens("test"), 65)                          consecutive sequences without overlap
    windows(text.tokens("train"), 32, 65, generator=…)       sequences from random positions

The tokenizers:

bpe     byte pair encoding (Sennrich et al. 2016) of UTF-8 bytes, trained here by `tokenizers`
char    one token per character of the corpus
gpt2    the byte pair encoding of GPT-2, loaded by `tiktoken`

Encoded corpora are memory-mapped arrays, cached in `_build/texts`. The name of a file holds hashes
of the corpus, the tokenizer and its own content.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch

from lexurn.base import files, paths
from lexurn.base.errors import ParameterError
from lexurn.base.shapes import Tokens
from lexurn.generators import corpora
from lexurn.settings import TextSettings

GPT2_HOST = "https://openaipublic.blob.core.windows.net"
VALIDATION_SHARE = 0.1  # of `valid`, to choose the best weights, if the rest is trained on


@dataclass(frozen=True)
class Tokenizer:
    """A map from text to token numbers; `pieces` are the bytes of each token."""

    name: str
    pieces: tuple[bytes, ...]
    encode: Callable[[str], Sequence[int]]

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Return the text of tokens; bytes that are no complete character become �."""
        return b"".join(self.pieces[token] for token in tokens).decode(errors="replace")

    @cached_property
    def n_bytes(self) -> np.ndarray:
        """The number of bytes of each token (vocab)."""
        return np.array([len(piece) for piece in self.pieces])

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits of a hash of the name and the pieces in their order."""
        parts = (len(piece).to_bytes(4, "little") + piece for piece in self.pieces)
        return files.hash_bytes(self.name.encode() + b"".join(parts), 12)


def build_char_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """Return a tokenizer with one token per character of the texts, in code-point order.

    Its `encode` raises ValueError for other characters, and names the first of them.
    """
    characters = sorted(set().union(*texts))
    token_of = {character: token for token, character in enumerate(characters)}

    def encode(text: str) -> list[int]:
        try:
            return [token_of[character] for character in text]
        except KeyError as error:
            raise ValueError(
                f"the tokenizer char has no {error}, because its corpus has no such character; "
                "remove the character, or use tokenizer bpe, which encodes every byte"
            ) from None

    return Tokenizer("char", tuple(character.encode() for character in characters), encode)


def train_bpe(text: str, n_tokens: int) -> Tokenizer:
    """Train a byte pair encoding of `n_tokens` tokens: the 256 bytes and the most frequent pairs.

    Raises ParameterError if the text has too few pairs, or if `tokenizers` is not installed.
    """
    try:
        from tokenizers import ByteLevelBPETokenizer
    except ImportError:
        raise ParameterError(
            'tokenizer=bpe needs the package tokenizers; run pip install -e ".[text]"'
        ) from None
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([text], n_tokens, min_frequency=0, show_progress=False)
    if bpe.get_vocab_size() < n_tokens:
        raise ParameterError(
            f"n_tokens={n_tokens} is too large: the pairs of the training text give only "
            f"{bpe.get_vocab_size()} tokens; use fewer (257 or more), a longer text, or tokenizer "
            "char"
        )
    byte_of = _bytes_by_symbol()
    spellings = map(bpe.id_to_token, range(n_tokens))
    pieces = tuple(bytes(map(byte_of.__getitem__, spelling)) for spelling in spellings)
    return Tokenizer("bpe", pieces, lambda text: bpe.encode(text).ids)


def _bytes_by_symbol() -> dict[str, int]:
    """Return the byte of each symbol in which byte-level encodings spell tokens.

    Visible characters stand for themselves; the others are numbered from 256 on (Radford et al.
    2019).
    """
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    symbols = map(chr, [*visible, *range(256, 256 + len(others))])
    return dict(zip(symbols, visible + others, strict=True))


def load_gpt2() -> Tokenizer:
    """Load GPT-2's byte pair encoding. Raises ParameterError if it cannot be loaded."""
    try:
        import tiktoken

        if not os.environ.get("TIKTOKEN_CACHE_DIR"):
            corpora.check_reachable(GPT2_HOST)
        encoding = tiktoken.get_encoding("gpt2")
    except ImportError:
        raise ParameterError(
            'tokenizer=gpt2 needs the package tiktoken; run pip install -e ".[text]"'
        ) from None
    except OSError as error:
        raise ParameterError(
            f"tokenizer=gpt2 cannot be loaded: {' '.join(str(error).split())[:200]}; use tokenizer "
            "bpe, which is trained here, or set TIKTOKEN_CACHE_DIR to a folder with the files of "
            "tiktoken"
        ) from None
    pieces = map(encoding.decode_single_token_bytes, range(TextSettings.GPT2_TOKENS))
    return Tokenizer("gpt2", tuple(pieces), encoding.encode_ordinary)


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
        match self.task.tokenizer:
            case "char":
                return build_char_tokenizer([self._read(split) for split in self._splits])
            case "bpe":
                return train_bpe(self._read(self.task.train_split), self.task.n_tokens)
        return load_gpt2()

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

    def _read(self, split: str) -> str:
        return corpora.read(self.task.corpus, split)

    def _hash(self, split: str) -> str:
        return files.hash_bytes(self._read(split).encode(), 12)

    def _load_tokens(self, split: str) -> np.ndarray:
        """Map the tokens of a whole file into memory, and encode the file first if necessary."""
        key = f"{self._hash(split)}-{self.tokenizer.name}-{self.tokenizer.fingerprint}"
        folder = paths.build_folder() / "texts"
        for path in folder.glob(f"{key}-*.npy"):
            if files.hash_bytes(path.read_bytes(), 12) == path.stem.rpartition("-")[2]:
                return np.load(path, mmap_mode="r")
            print(f"{path} was altered and is made anew", file=sys.stderr)
            path.unlink()
        dtype = np.uint16 if len(self.tokenizer.pieces) <= 2**16 else np.uint32
        content = io.BytesIO()
        np.save(content, np.array(self.tokenizer.encode(self._read(split)), dtype))
        path = folder / f"{key}-{files.hash_bytes(content.getvalue(), 12)}.npy"
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


def windows(tokens: np.ndarray, n: int, length: int, *, generator: torch.Generator) -> Tokens:
    """Draw `n` sequences of `length` tokens from uniform positions in a text."""
    starts = torch.randint(len(tokens) - length + 1, (n, 1), generator=generator).numpy()
    return torch.from_numpy(tokens[starts + np.arange(length)].astype(np.int64))
