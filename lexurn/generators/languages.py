"""Formal languages: words are drawn, and rules judged, by code that knows nothing of any model.

    baN         starts with b, an even number of a's           regular
    bbaN        b's, then an even number of a's                regular
    aNbN        n a's, then n b's                              context-free
    dyck        ( ) and [ ], nested                            context-free
    aNbNcN      n a's, n b's, n c's                            context-sensitive
    cs_dyck     ( ) and [ ], each matched, interleaved         context-sensitive
    abN         as many a's as b's, in any order
    aNbM        a's, then b's
    parentheses, brackets    one kind of pair, matched

A sequence is a word, EOS, and PAD up to the end (see `lexurn.generators.strings`): tokens (batch, max_length + 1). The
generators are those of Mészáros et al. 2024 (arXiv 2409.13728); `lexurn.predictors.grammars` has their exact next-token
laws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from lexurn.base.seeding import numpy_generator
from lexurn.base.shapes import Tokens
from lexurn.generators import automata
from lexurn.generators.rules import (
    Holds,
    Letters,
    Rule,
    equally_many,
    even,
    even_at_the_end,
    in_order,
    matched,
    nested,
    starts_with,
)
from lexurn.generators.strings import FIRST, letters_of, sequences
from lexurn.settings import LETTERS

Draw = Callable[[int, int, np.random.Generator], list[Sequence[int]]]
"""(n, max_length, stream) -> n words, as letters."""


@dataclass(frozen=True)
class Language:
    """Letters, rules, and a generator of words of at most `max_length` letters.

    `draw(n, max_length, numpy generator)` gives words as lists of letters; `needs` is the least max_length at which
    there is a word. A word is in the language where it has letters, all rules hold, and so does `more`.
    """

    name: str
    rules: tuple[Rule, ...]
    draw: Draw
    needs: int
    more: Callable[[Letters], Holds] | None = None

    @property
    def letters(self) -> str:
        return LETTERS[self.name]

    @property
    def vocab_size(self) -> int:
        return FIRST + len(self.letters)

    def sample(self, n: int, *, max_length: int, generator: Generator) -> Tokens:
        """`n` words with EOS and PAD: (n, max_length + 1). Raises ValueError for a length at which there is no word."""
        self.check_length(max_length)
        return sequences(
            self.draw(n, max_length, numpy_generator(generator)), length=max_length + 1
        )

    def check_length(self, max_length: int) -> None:
        if max_length < self.needs:
            raise ValueError(
                f"{self.name} has no word of at most {max_length} letters; use max_length {self.needs} or more"
            )

    def obeyed(self, tokens: Tokens) -> Bool[Tensor, "batch rules"]:
        """Whether each rule holds; none does for what contains something else than letters."""
        letters = letters_of(tokens, n_letters=len(self.letters))
        clean = (letters != -2).all(-1)
        return torch.stack([rule.holds(letters) & clean for rule in self.rules], -1)

    def contains(self, tokens: Tokens) -> Holds:
        """Whether the word is in the language, however long."""
        letters = letters_of(tokens, n_letters=len(self.letters))
        inside = self.obeyed(tokens).all(-1) & (letters[:, 0] >= 0)
        return inside if self.more is None else inside & self.more(letters)

    def encode(self, words: Sequence[str], *, length: int) -> Tokens:
        """Words such as "aabb" as sequences. Raises ValueError for letters that this language has not."""
        if foreign := sorted(set("".join(words)) - set(self.letters)):
            raise ValueError(f"{self.name} has the letters {self.letters}, got {' '.join(foreign)}")
        return sequences(
            [[self.letters.index(letter) for letter in word] for word in words], length=length
        )

    def decode(self, tokens: Tokens) -> list[str]:
        """The words of sequences, up to EOS; ? for what is no letter."""
        letters = letters_of(tokens, n_letters=len(self.letters))
        return [
            "".join(self.letters[i] if i >= 0 else "?" for i in row if i != -1)
            for row in letters.tolist()
        ]


# generators: (n, max_length, stream) -> words


def _once(word: Callable[[int], list[int]], largest: Callable[[int], int]) -> Draw:
    """word(k) for k uniform in 1 … largest(max_length)."""
    return lambda n, most, stream: [
        word(k) for k in stream.integers(1, largest(most), n, endpoint=True).tolist()
    ]


def _even_as(n: int, most: int, stream: np.random.Generator) -> list[tuple[int, int]]:
    """(length, number of a's): length uniform in 1 … most, then half of the a's uniform in 0 … ⌊(length − 1) / 2⌋."""
    lengths = stream.integers(1, most, n, endpoint=True)
    return list(
        zip(
            lengths.tolist(),
            (2 * stream.integers(0, (lengths - 1) // 2, endpoint=True)).tolist(),
            strict=True,
        )
    )


def _ban(n: int, most: int, stream: np.random.Generator) -> list[list[int]]:
    rest = ([0] * n_a + [1] * (length - 1 - n_a) for length, n_a in _even_as(n, most, stream))
    return [[1, *stream.permutation(letters).tolist()] for letters in rest]


def _bban(n: int, most: int, stream: np.random.Generator) -> list[list[int]]:
    return [[1] * (length - n_a) + [0] * n_a for length, n_a in _even_as(n, most, stream)]


def _abn(n: int, most: int, stream: np.random.Generator) -> list[list[int]]:
    halves = stream.integers(1, most // 2, n, endpoint=True).tolist()
    return [stream.permutation([0] * half + [1] * half).tolist() for half in halves]


def _nested(kinds: int) -> Draw:
    """A cap m, then an opening (any kind), then an opening or the matching close, all alike; only the close once
    length + depth ≥ m. The word ends when nothing is open any more."""

    def draw(n: int, most: int, stream: np.random.Generator) -> list[list[int]]:
        words = []
        for cap in (2 * stream.integers(1, most // 2, n, endpoint=True)).tolist():
            word, stack = [], []
            while stack or not word:
                options = (
                    [2 * kind for kind in range(kinds)] if len(word) + len(stack) < cap else []
                )
                options += [stack[-1] + 1] if stack else []
                letter = options[stream.integers(len(options))]
                word.append(letter)
                stack = stack[:-1] if letter % 2 else [*stack, letter]
            words.append(word)
        return words

    return draw


def _interleaved(n: int, most: int, stream: np.random.Generator) -> list[list[int]]:
    """A cap m, which is the length: openings and possible closes, all alike; only closes once length + depths ≥ m."""
    words = []
    for cap in (2 * stream.integers(1, most // 2, n, endpoint=True)).tolist():
        word, depths = [], [0, 0]
        while len(word) < cap:
            options = [0, 2] if len(word) + sum(depths) < cap else []
            options += [2 * kind + 1 for kind in (0, 1) if depths[kind]]
            letter = options[stream.integers(len(options))]
            word.append(letter)
            depths[letter // 2] += -1 if letter % 2 else 1
        words.append(word)
    return words


ROUND, SQUARE = (
    Rule("( ) matched", matched(0), automata.matched(0)),
    Rule("[ ] matched", matched(2), automata.matched(2)),
)

LANGUAGES = {
    each.name: each
    for each in (
        Language(
            "baN",
            (
                Rule("#a even", even(0), automata.even(0)),
                Rule("starts with b", starts_with(1), automata.starts_with(1)),
            ),
            _ban,
            1,
        ),
        Language(
            "bbaN",
            (
                Rule(
                    "even number of a's at the end", even_at_the_end(0), automata.even_at_the_end(0)
                ),
                Rule("b's before a's", in_order(1, 0), automata.in_order(1, 0)),
            ),
            _bban,
            1,
            starts_with(1),
        ),
        Language(
            "aNbN",
            (
                Rule("#a = #b", equally_many(0, 1), automata.equally_many(0, 1)),
                Rule("a's before b's", in_order(0, 1), automata.in_order(0, 1)),
            ),
            _once(lambda k: [0] * k + [1] * k, lambda most: most // 2),
            2,
        ),
        Language("dyck", (SQUARE, ROUND), _nested(2), 2, nested),
        Language(
            "aNbNcN",
            (
                Rule("#a = #b = #c", equally_many(0, 1, 2), automata.equally_many(0, 1, 2)),
                Rule("a's, b's, c's", in_order(0, 1, 2), automata.in_order(0, 1, 2)),
            ),
            _once(lambda k: [0] * k + [1] * k + [2] * k, lambda most: most // 3),
            3,
        ),
        Language("cs_dyck", (SQUARE, ROUND), _interleaved, 2),
        Language(
            "abN", (Rule("#a = #b", equally_many(0, 1), automata.equally_many(0, 1)),), _abn, 2
        ),
        Language(
            "aNbM",
            (Rule("a's before b's", in_order(0, 1), automata.in_order(0, 1)),),
            lambda n, most, stream: [
                [0] * k + [1] * (most - 2 - k)
                for k in stream.integers(1, most - 3, n, endpoint=True).tolist()
            ],
            4,
        ),
        Language("parentheses", (ROUND,), _nested(1), 2),
        Language(
            "brackets", (Rule("[ ] matched", matched(0), automata.matched(0)),), _nested(1), 2
        ),
    )
}
