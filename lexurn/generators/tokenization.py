"""Tokenizers: text to tokens and back.

bpe     byte pair encoding (Sennrich et al. 2016) of UTF-8 bytes, trained here by `tokenizers`
char    one token per character of the corpus
gpt2    the byte pair encoding of GPT-2, loaded by `tiktoken`
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lexurn.base.errors import ParameterError
from lexurn.generators.corpora import check_reachable

GPT2_TOKENS = 50_257
GPT2_HOST = "https://openaipublic.blob.core.windows.net"


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
        return hashlib.sha256(self.name.encode() + b"".join(parts)).hexdigest()[:12]


def build_char_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """Return a tokenizer with one token per character of the texts, in code-point order.

    Its `encode` raises ValueError for other characters, and names the first of them.
    """
    characters = sorted(set().union(*texts))
    token_of = {character: token for token, character in enumerate(characters)}

    def encode(text: str) -> list[int]:
        foreign = next((character for character in text if character not in token_of), None)
        if foreign is not None:
            raise ValueError(
                f"the tokenizer char has no {foreign!r}, because its corpus has no such character; "
                "remove the character, or use tokenizer bpe, which encodes every byte"
            )
        return [token_of[character] for character in text]

    return Tokenizer("char", tuple(character.encode() for character in characters), encode)


def train_bpe(text: str, n_tokens: int) -> Tokenizer:
    """Train a byte pair encoding of `n_tokens` tokens: the 256 bytes and the most frequent pairs.

    Raises ParameterError if the text has too few pairs, or if `tokenizers` is not installed.
    """
    try:
        import tokenizers
        from tokenizers import models, pre_tokenizers, trainers
    except ImportError:
        raise ParameterError(
            'tokenizer=bpe needs the package tokenizers; run pip install -e ".[text]"'
        ) from None
    byte_level = pre_tokenizers.ByteLevel
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = byte_level(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens, initial_alphabet=byte_level.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([text], trainer)
    if bpe.get_vocab_size() < n_tokens:
        raise ParameterError(
            f"n_tokens={n_tokens} is too large: the pairs of the training text give only "
            f"{bpe.get_vocab_size()} tokens; use fewer (257 or more), a longer text, or tokenizer "
            "char"
        )
    byte_of = _bytes_by_symbol()
    spellings = (bpe.id_to_token(token) for token in range(n_tokens))
    pieces = tuple(bytes(map(byte_of.__getitem__, spelling)) for spelling in spellings)
    return Tokenizer("bpe", pieces, lambda text: bpe.encode(text).ids)


def load_gpt2() -> Tokenizer:
    """Load GPT-2's byte pair encoding. Raises ParameterError if it cannot be loaded."""
    try:
        import tiktoken

        if not os.environ.get("TIKTOKEN_CACHE_DIR"):
            check_reachable(GPT2_HOST)
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
    pieces = tuple(encoding.decode_single_token_bytes(token) for token in range(GPT2_TOKENS))
    return Tokenizer("gpt2", pieces, encoding.encode_ordinary)


def _bytes_by_symbol() -> dict[str, int]:
    """Return the byte of each symbol in which byte-level encodings spell tokens.

    Visible characters stand for themselves; the others are numbered from 256 on (Radford et al.
    2019).
    """
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = (byte for byte in range(256) if byte not in visible)
    hidden = {chr(256 + number): byte for number, byte in enumerate(others)}
    return {chr(byte): byte for byte in visible} | hidden
