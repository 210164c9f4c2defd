"""Formal languages: their rules, and generators of random strings, independent of any model.

    baN         starts with b, an even number of a's           regular
    bbaN        b's, then an even number of a's                regular
    aNbN        n a's, then n b's                              context-free
    dyck        ( ) and [ ], nested                            context-free
    aNbNcN      n a's, n b's, n c's                            context-sensitive
    cs_dyck     ( ) and [ ], each balanced, interleaved        context-sensitive
    abN         equally many a's and b's, in any order
    aNbM        a's, then b's
    parentheses, brackets    one bracket type, balanced
    aNbN_cNdN   aNbN in two alphabets: every string is of a's and b's, or of c's and d's

Sequences (batch, max_length + 1) are letters, EOS and PAD, see `lexurn.generators.strings`. The
generators follow Mészáros et al. 2024 (arXiv 2409.13728); `lexurn.predictors.grammars` gives
their exact next-token laws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import numpy_generator
from lexurn.base.shapes import Tokens
from lexurn.generators.strings import (
    FIRST_LETTER,
    Letters,
    Mask,
    Rule,
    all_of,
    balanced,
    equal_counts,
    even_count,
    even_final_run,
    in_order,
    in_order_of_one_pair,
    is_well_nested,
    starts_with,
    to_letters,
    to_sequences,
)
from lexurn.settings import LETTERS

StringSampler = Callable[[int, int, np.random.Generator], list[Sequence[int]]]
"""(n, max_length, rng) -> n strings as lists of letter numbers."""


@dataclass(frozen=True)
class Language:
    """A formal language: its rules, and a sampler of strings of at most `max_length` letters.

    A string belongs to the language if it is not empty and obeys all `rules` and the
    `extra_condition`. There are strings only for max_length ≥ `min_length`.
    """

    name: str
    rules: tuple[Rule, ...]
    draw_strings: StringSampler
    min_length: int
    extra_condition: Callable[[Letters], Mask] | None = None

    @property
    def letters(self) -> str:
        return LETTERS[self.name]

    @property
    def vocab_size(self) -> int:
        return FIRST_LETTER + len(self.letters)

    def sample(self, n: int, *, max_length: int, generator: torch.Generator) -> Tokens:
        """Draw `n` strings as sequences (n, max_length + 1) with EOS and PAD.

        Raises ParameterError if no string has at most `max_length` letters.
        """
        self.check_length(max_length)
        strings = self.draw_strings(n, max_length, numpy_generator(generator))
        return to_sequences(strings, length=max_length + 1)

    def check_length(self, max_length: int, *, name: str = "max_length") -> None:
        """Raise ParameterError if no string has at most `max_length` letters.

        `name` is the parameter that sets the length.
        """
        if max_length < self.min_length:
            raise ParameterError(
                f"{self.name} has no string of at most {max_length} letters; "
                f"use {name} {self.min_length} or more"
            )

    def obeys_rules(self, tokens: Tokens) -> Bool[torch.Tensor, "batch rules"]:
        """Return whether each string obeys each rule; other tokens than letters break all rules."""
        letters = to_letters(tokens, n_letters=len(self.letters))
        has_letters_only = (letters != -2).all(-1)
        return torch.stack([rule.is_obeyed(letters) & has_letters_only for rule in self.rules], -1)

    def contains(self, tokens: Tokens) -> Mask:
        """Return whether each string is in the language, whatever its length."""
        letters = to_letters(tokens, n_letters=len(self.letters))
        is_member = self.obeys_rules(tokens).all(-1) & (letters[:, 0] >= 0)
        return is_member & self.extra_condition(letters) if self.extra_condition else is_member

    def encode(self, strings: Sequence[str], *, length: int) -> Tokens:
        """Return strings such as "aabb" as sequences (strings, length).

        Raises ValueError for letters that the language does not have.
        """
        if foreign := sorted(set("".join(strings)) - set(self.letters)):
            raise ValueError(
                f"{self.name} has the letters {self.letters}, got {' '.join(foreign)}; "
                "use only the letters of the language"
            )
        numbers = [list(map(self.letters.index, string)) for string in strings]
        return to_sequences(numbers, length=length)

    def decode(self, tokens: Tokens) -> list[str]:
        """Return the strings of sequences up to EOS, with ? for every token that is no letter."""
        spelling = dict(enumerate(self.letters)) | {-1: "", -2: "?"}
        rows = to_letters(tokens, n_letters=len(self.letters)).tolist()
        return ["".join(map(spelling.get, row)) for row in rows]


def _draw_blocks(n_blocks: int) -> StringSampler:
    """Draw 0^k 1^k … with `n_blocks` letters, k uniform in 1 … ⌊max_length / n_blocks⌋."""
    letters = np.arange(n_blocks)
    return lambda n, max_length, rng: [
        np.repeat(letters, size).tolist()
        for size in rng.integers(1, max_length // n_blocks, n, endpoint=True)
    ]


def _draw_from_two_alphabets(draw: StringSampler, n_letters: int) -> StringSampler:
    """Draw strings of `n_letters` letters, and write half of them, by chance, in other letters."""

    def draw_in_either(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
        strings = draw(n, max_length, rng)
        shifts = (n_letters * rng.integers(2, size=n)).tolist()
        return [
            [letter + shift for letter in string]
            for string, shift in zip(strings, shifts, strict=True)
        ]

    return draw_in_either


def _draw_even_counts(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
    """Draw (length, number of a's): the length ℓ is uniform in 1 … max_length, and half of the
    number of a's is uniform in 0 … ⌊(ℓ − 1) / 2⌋."""
    lengths = rng.integers(1, max_length, n, endpoint=True)
    n_a = 2 * rng.integers(0, (lengths - 1) // 2, endpoint=True)
    return np.stack([lengths, n_a], -1).tolist()


def _draw_ban(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
    return [
        [1, *rng.permutation([0] * n_a + [1] * (length - 1 - n_a)).tolist()]
        for length, n_a in _draw_even_counts(n, max_length, rng)
    ]


def _draw_bban(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
    return [
        [1] * (length - n_a) + [0] * n_a for length, n_a in _draw_even_counts(n, max_length, rng)
    ]


def _draw_abn(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
    return [
        rng.permutation([0] * half + [1] * half).tolist()
        for half in rng.integers(1, max_length // 2, n, endpoint=True).tolist()
    ]


def _draw_anbm(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
    return [
        [0] * size + [1] * (max_length - 2 - size)
        for size in rng.integers(1, max_length - 3, n, endpoint=True).tolist()
    ]


def _draw_brackets(n_types: int, *, nested: bool) -> StringSampler:
    """Draw a cap m, then brackets.

    While length + depth < m, all openings and all possible closing brackets are equally probable;
    from then on only closing brackets come. A nested string ends as soon as nothing is open, and an
    interleaved string, in which every open bracket may be closed next, ends with m letters.
    """

    def draw(n: int, max_length: int, rng: np.random.Generator) -> list[list[int]]:
        strings = []
        openings = list(range(0, 2 * n_types, 2))
        for cap in (2 * rng.integers(1, max_length // 2, n, endpoint=True)).tolist():
            string, stack = [], []
            while (stack or not string) if nested else len(string) < cap:
                options = openings[:] if len(string) + len(stack) < cap else []
                options += [opening + 1 for opening in (stack[-1:] if nested else sorted({*stack}))]
                letter = options[0] if len(options) == 1 else options[rng.integers(len(options))]
                string.append(letter)
                if letter % 2 == 0:
                    stack.append(letter)
                elif nested:
                    stack.pop()
                else:
                    stack.remove(letter - 1)
            strings.append(string)
        return strings

    return draw


ROUND = balanced("( ) matched", 0)
SQUARE = balanced("[ ] matched", 2)

LANGUAGES = {
    language.name: language
    for language in (
        Language("baN", (even_count("#a even", 0), starts_with("starts with b", 1)), _draw_ban, 1),
        Language(
            "bbaN",
            (even_final_run("even number of a's at the end", 0), in_order("b's before a's", 1, 0)),
            _draw_bban,
            1,
            starts_with("starts with b", 1).is_obeyed,
        ),
        Language(
            "aNbN",
            (equal_counts("#a = #b", 0, 1), in_order("a's before b's", 0, 1)),
            _draw_blocks(2),
            2,
        ),
        Language("dyck", (SQUARE, ROUND), _draw_brackets(2, nested=True), 2, is_well_nested),
        Language(
            "aNbNcN",
            (equal_counts("#a = #b = #c", 0, 1, 2), in_order("a's, b's, c's", 0, 1, 2)),
            _draw_blocks(3),
            3,
        ),
        Language("cs_dyck", (SQUARE, ROUND), _draw_brackets(2, nested=False), 2),
        Language("abN", (equal_counts("#a = #b", 0, 1),), _draw_abn, 2),
        Language("aNbM", (in_order("a's before b's", 0, 1),), _draw_anbm, 4),
        Language("parentheses", (ROUND,), _draw_brackets(1, nested=True), 2),
        Language("brackets", (balanced("[ ] matched", 0),), _draw_brackets(1, nested=True), 2),
        Language(
            "aNbN_cNdN",
            (
                all_of("#a = #b, #c = #d", equal_counts("", 0, 1), equal_counts("", 2, 3)),
                in_order_of_one_pair("a's before b's, or c's before d's"),
            ),
            _draw_from_two_alphabets(_draw_blocks(2), 2),
            2,
        ),
    )
}
