"""Rules that strings obey or break, independent of the generators of strings.

Every rule has two forms: a predicate of a whole batch, which is fast, and an automaton that reads
one string letter by letter, for exact enumeration: the strings of one length pass through few
states, so sums over all strings become sums over states. A test compares the two forms on all short
strings.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

Letters = Int64[Tensor, "batch time"]
"""Strings as letter numbers 0, 1, …; −1 after the end of a string, −2 for any other token."""

Mask = Bool[Tensor, "batch"]


@dataclass(frozen=True)
class Automaton:
    """A start state, a transition function, and a predicate of accepting states.

    The states may be any hashable values, and need not be finitely many.
    """

    start: Hashable
    step: Callable[[Hashable, int], Hashable]
    accepts: Callable[[Hashable], bool]


@dataclass(frozen=True)
class Rule:
    """A rule as text for people, as a predicate of batches, and as an automaton."""

    text: str
    predicate: Callable[[Letters], Mask]
    automaton: Automaton


def even_count(text: str, letter: int) -> Rule:
    """Require an even number of `letter`."""
    return Rule(
        text,
        lambda letters: (letters == letter).sum(-1) % 2 == 0,
        Automaton(0, lambda parity, read: parity ^ (read == letter), lambda parity: not parity),
    )


def even_final_run(text: str, letter: int) -> Rule:
    """Require that the string's final run of `letter`, which may be empty, has even length."""

    def predicate(letters: Letters) -> Mask:
        is_other = (letters != letter) & (letters != -1)
        last_other = torch.arange(1, letters.shape[1] + 1).where(is_other, 0).amax(-1)
        return ((letters != -1).sum(-1) - last_other) % 2 == 0

    return Rule(
        text,
        predicate,
        Automaton(
            0, lambda parity, read: 1 - parity if read == letter else 0, lambda parity: not parity
        ),
    )


def starts_with(text: str, letter: int) -> Rule:
    """Require that `letter` comes first; the state is None before the first letter."""
    return Rule(
        text,
        lambda letters: letters[:, 0] == letter,
        Automaton(
            None,
            lambda is_right, read: read == letter if is_right is None else is_right,
            lambda is_right: is_right is True,
        ),
    )


def equal_counts(text: str, *alphabet: int) -> Rule:
    """Require equally many of all letters; the state is their excess over the first letter."""

    def predicate(letters: Letters) -> Mask:
        counts = torch.stack([(letters == letter).sum(-1) for letter in alphabet])
        return (counts == counts[0]).all(0)

    def step(excess: tuple[int, ...], read: int) -> tuple[int, ...]:
        return tuple(
            count + (read == letter) - (read == alphabet[0])
            for count, letter in zip(excess, alphabet[1:], strict=True)
        )

    automaton = Automaton((0,) * (len(alphabet) - 1), step, lambda excess: not any(excess))
    return Rule(text, predicate, automaton)


def in_order(text: str, *alphabet: int) -> Rule:
    """Require that letters come in the order of `alphabet`; the state is the last letter's rank, or
    −1 after an error."""

    def predicate(letters: Letters) -> Mask:
        ranks = torch.full_like(letters, len(alphabet))  # the rank of positions after the end
        for rank, letter in enumerate(alphabet):
            ranks[letters == letter] = rank
        return (ranks.diff(dim=-1) >= 0).all(-1)

    return Rule(
        text,
        predicate,
        Automaton(
            0,
            lambda rank, read: alphabet.index(read) if 0 <= rank <= alphabet.index(read) else -1,
            lambda rank: rank >= 0,
        ),
    )


def balanced(text: str, opening: int) -> Rule:
    """Require that every `opening` is closed later by `opening` + 1, and that nothing else is
    closed; the state is the depth, or −1 after an error."""

    def predicate(letters: Letters) -> Mask:
        depth = ((letters == opening).long() - (letters == opening + 1).long()).cumsum(-1)
        return (depth >= 0).all(-1) & (depth[:, -1] == 0)

    def step(depth: int, read: int) -> int:
        return depth if depth < 0 else depth + (read == opening) - (read == opening + 1)

    return Rule(text, predicate, Automaton(0, step, lambda depth: depth == 0))


def read_brackets(
    letters: Letters,
) -> tuple[Int64[Tensor, "batch rows"], Int64[Tensor, "batch rows"], Bool[Tensor, "batch rows"]]:
    """Read the nested pairs 0 1, 2 3, … and return three tensors with time + 1 rows.

    Row t has read letters[:, :t]. Returned are the innermost open bracket (arbitrary if there is
    none), the number of open brackets, and whether every closing bracket matched its opening.
    """
    rows = torch.arange(len(letters))
    stack = torch.full_like(letters, -1)
    depths = [letters.new_zeros(len(letters))]
    tops = [depths[0] - 1]
    is_valid = [depths[0] == 0]
    for letter in letters.unbind(-1):
        opens = (letter >= 0) & (letter % 2 == 0)
        closes = (letter >= 0) & (letter % 2 == 1)
        is_valid.append(is_valid[-1] & (~closes | ((depths[-1] > 0) & (tops[-1] == letter - 1))))
        depths.append((depths[-1] + opens.long() - closes.long()).clamp_min(0))
        stack[rows[opens], depths[-1][opens] - 1] = letter[opens]
        tops.append(stack[rows, (depths[-1] - 1).clamp_min(0)])
    return torch.stack(tops, -1), torch.stack(depths, -1), torch.stack(is_valid, -1)


def is_well_nested(letters: Letters) -> Mask:
    """Return whether the pairs 0 1, 2 3, … close in the reverse of the order in which they open."""
    _, depths, is_valid = read_brackets(letters)
    return is_valid[:, -1] & (depths[:, -1] == 0)
