"""The same rules as automata, letter by letter: what exact enumeration needs, as words go through few states.

Each has the name of its predicate in `lexurn.generators.rules`, and agrees with it on every word (a test goes through all
short ones).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

State = Hashable


@dataclass(frozen=True)
class Automaton:
    """Begins in `start`, goes on by `step(state, letter)`, and accepts a word by the state that it ends in."""

    start: State
    step: Callable[[State, int], State]
    accepts: Callable[[State], bool]


def even(letter: int) -> Automaton:
    return Automaton(0, lambda odd, seen: odd ^ (seen == letter), lambda odd: not odd)


def even_at_the_end(letter: int) -> Automaton:
    return Automaton(0, lambda odd, seen: 1 - odd if seen == letter else 0, lambda odd: not odd)


def starts_with(letter: int) -> Automaton:
    return Automaton(
        "", lambda so, seen: (seen == letter) if so == "" else so, lambda so: so is True
    )


def equally_many(*which: int) -> Automaton:
    """How many more of each there are than of the first."""

    def step(ahead: tuple[int, ...], seen: int) -> tuple[int, ...]:
        return tuple(
            n + (seen == letter) - (seen == which[0])
            for n, letter in zip(ahead, which[1:], strict=True)
        )

    return Automaton((0,) * (len(which) - 1), step, lambda ahead: not any(ahead))


def in_order(*which: int) -> Automaton:
    """The place in `which` of the letter seen last; −1 once the order was broken."""
    return Automaton(
        0,
        lambda at, seen: which.index(seen) if 0 <= at <= which.index(seen) else -1,
        lambda at: at >= 0,
    )


def matched(opening: int) -> Automaton:
    """How many are open; −1 once one was closed that had not been opened."""

    def step(depth: int, seen: int) -> int:
        return depth if depth < 0 else depth + (seen == opening) - (seen == opening + 1)

    return Automaton(0, step, lambda depth: depth == 0)


def both(first: Automaton, second: Automaton) -> Automaton:
    return Automaton(
        (first.start, second.start),
        lambda states, seen: (first.step(states[0], seen), second.step(states[1], seen)),
        lambda states: first.accepts(states[0]) and second.accepts(states[1]),
    )


EVERYTHING = Automaton(None, lambda state, seen: None, lambda state: True)
