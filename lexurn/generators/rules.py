"""Rules that words obey or not: predicates of whole batches, which know nothing of where words come from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from lexurn.generators.automata import Automaton

Letters = Int64[Tensor, "batch time"]
"""Of each sequence's word: 0, 1, … for its letters, −1 behind the word, −2 for what is no letter."""

Holds = Bool[Tensor, "batch"]


def even(letter: int) -> Callable[[Letters], Holds]:
    return lambda letters: (letters == letter).sum(-1) % 2 == 0


def even_at_the_end(letter: int) -> Callable[[Letters], Holds]:
    """The run of this letter with which the word ends, if it does, has even length."""

    def holds(letters: Letters) -> Holds:
        length = (letters != -1).sum(-1)
        places = torch.arange(1, letters.shape[1] + 1).where(
            (letters != letter) & (letters != -1), 0
        )
        return (length - places.amax(-1)) % 2 == 0

    return holds


def starts_with(letter: int) -> Callable[[Letters], Holds]:
    return lambda letters: letters[:, 0] == letter


def equally_many(*which: int) -> Callable[[Letters], Holds]:
    def holds(letters: Letters) -> Holds:
        counts = torch.stack([(letters == letter).sum(-1) for letter in which])
        return (counts == counts[0]).all(0)

    return holds


def in_order(*which: int) -> Callable[[Letters], Holds]:
    """Every letter before all of those that come later in `which`."""

    def holds(letters: Letters) -> Holds:
        place = torch.full_like(letters, len(which))  # behind the word
        for number, letter in enumerate(which):
            place[letters == letter] = number
        return (place.diff(dim=-1) >= 0).all(-1)

    return holds


def matched(opening: int) -> Callable[[Letters], Holds]:
    """Each closing letter (`opening` + 1) closes one that was opened before, and none stays open."""

    def holds(letters: Letters) -> Holds:
        depth = ((letters == opening).long() - (letters == opening + 1).long()).cumsum(-1)
        return (depth >= 0).all(-1) & (depth[:, -1] == 0)

    return holds


def nested(letters: Letters) -> Holds:
    """Pairs 0 1, 2 3, … close in the reverse of the order in which they were opened."""
    n, length = letters.shape
    stack, depth = letters.new_full((n, length + 1), -1), letters.new_zeros(n)
    good, rows = torch.ones(n, dtype=torch.bool), torch.arange(n)
    for letter in letters.unbind(-1):
        opens, closes = (letter >= 0) & (letter % 2 == 0), (letter >= 0) & (letter % 2 == 1)
        top = stack[rows, (depth - 1).clamp_min(0)]
        good &= ~closes | ((depth > 0) & (top == letter - 1))
        stack[rows, depth] = torch.where(opens, letter, stack[rows, depth])
        depth = (depth + opens.long() - closes.long()).clamp_min(0)
    return good & (depth == 0)


@dataclass(frozen=True)
class Rule:
    """A rule in words, whether words of a batch obey it, and the automaton that says the same letter by letter."""

    text: str
    holds: Callable[[Letters], Holds]
    automaton: Automaton
