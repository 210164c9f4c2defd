"""Tokenizers: text to tokens and back.

bpe     byte pair encoding (Sennrich et al. 2016) of UTF-8 bytes, learned from the training text by `tokenizers`
char    a token for each character of the corpus
gpt2    the byte pair encoding of GPT-2, by `tiktoken`
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lexurn.generators.corpora import require_answer
from lexurn.settings.resolver import ParameterError

GPT2_TOKENS = 50_257
GPT2_HOST = "https://openaipublic.blob.core.windows.net"


@dataclass(frozen=True)
class Tokenizer:
    """Text to numbers of tokens; `pieces` are the bytes that each token stands for."""

    name: str
    pieces: tuple[bytes, ...]
    encode: Callable[[str], Sequence[int]]

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """The text of tokens; bytes that are no character alone become �."""
        return b"".join(self.pieces[token] for token in tokens).decode(errors="replace")

    @cached_property
    def n_bytes(self) -> np.ndarray:
        """How many bytes of text each token stands for (vocab)."""
        return np.array([len(piece) for piece in self.pieces])

    @cached_property
    def fingerprint(self) -> str:
        """Twelve digits that tell it from others: they follow from its pieces, in their order."""
        parts = (len(piece).to_bytes(4, "little") + piece for piece in self.pieces)
        return hashlib.sha256(self.name.encode() + b"".join(parts)).hexdigest()[:12]


def characters(texts: Sequence[str]) -> Tokenizer:
    """A token for each character that there is, in the order of their numbers. Encoding raises ValueError, with the
    first of them, for characters that are not among them."""
    known = sorted(set().union(*texts))
    number = {character: token for token, character in enumerate(known)}

    def encode(text: str) -> list[int]:
        foreign = next((character for character in text if character not in number), None)
        if foreign is not None:
            raise ValueError(
                f"the tokenizer char has no {foreign!r}, which is no character of its corpus; take it out, or use "
                "tokenizer bpe, which has every byte"
            )
        return [number[character] for character in text]

    return Tokenizer("char", tuple(character.encode() for character in known), encode)


def learned(text: str, n_tokens: int) -> Tokenizer:
    """A byte pair encoding of `n_tokens` tokens: the 256 bytes, and the pairs that come most often in a text.

    Raises ParameterError where it has too few pairs, and without the package.
    """
    try:
        from tokenizers import Tokenizer as Learned
        from tokenizers import models, pre_tokenizers, trainers
    except ImportError:
        raise ParameterError(
            'tokenizer=bpe needs the package tokenizers; pip install -e ".[text]"'
        ) from None
    parts = pre_tokenizers.ByteLevel
    bpe = Learned(models.BPE())
    bpe.pre_tokenizer = parts(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens, initial_alphabet=parts.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([text], trainer)
    if bpe.get_vocab_size() < n_tokens:
        raise ParameterError(
            f"n_tokens={n_tokens} are more than the training text has pairs for, {bpe.get_vocab_size()}; use fewer "
            "(257 or more), a longer text, or tokenizer char"
        )
    byte = _bytes_by_letter()
    spelled = (bpe.id_to_token(token) for token in range(n_tokens))
    pieces = tuple(bytes(byte[letter] for letter in letters) for letters in spelled)
    return Tokenizer("bpe", pieces, lambda text: bpe.encode(text).ids)


def gpt2() -> Tokenizer:
    """GPT-2's own. Raises ParameterError where it cannot be loaded."""
    try:
        import tiktoken

        if not os.environ.get("TIKTOKEN_CACHE_DIR"):
            require_answer(GPT2_HOST)
        encoding = tiktoken.get_encoding("gpt2")
    except ImportError:
        raise ParameterError(
            'tokenizer=gpt2 needs the package tiktoken; pip install -e ".[text]"'
        ) from None
    except OSError as error:
        raise ParameterError(
            f"tokenizer=gpt2 cannot be loaded: {' '.join(str(error).split())[:200]}; use tokenizer bpe, which is "
            "learned here, or set TIKTOKEN_CACHE_DIR to a folder that has its files"
        ) from None
    pieces = tuple(encoding.decode_single_token_bytes(token) for token in range(GPT2_TOKENS))
    return Tokenizer("gpt2", pieces, encoding.encode_ordinary)


def _bytes_by_letter() -> dict[str, int]:
    """The letters that byte pair encodings of GPT-2's kind write bytes as (Radford et al. 2019): visible characters
    stand for themselves, the others come behind byte 255."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = (byte for byte in range(256) if byte not in visible)
    return {chr(byte): byte for byte in visible} | {
        chr(256 + number): byte for number, byte in enumerate(others)
    }
