"""Automata that read strings letter by letter, for exact enumeration.

The strings of one length pass through few states, so sums over all strings become sums over states.
The states may be any hashable values, and need not be finitely many. `lexurn.generators.rules`
defines an automaton for every rule.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

State = Hashable


@dataclass(frozen=True)
class Automaton:
    """A start state, a transition function, and a predicate of accepting states."""

    start: State
    step: Callable[[State, int], State]
    accepts: Callable[[State], bool]


def intersection(first: Automaton, second: Automaton) -> Automaton:
    """Return an automaton that accepts what both accept; its state is the pair of their states."""
    return Automaton(
        (first.start, second.start),
        lambda states, read: (first.step(states[0], read), second.step(states[1], read)),
        lambda states: first.accepts(states[0]) and second.accepts(states[1]),
    )


ALL_STRINGS = Automaton(None, lambda state, read: None, lambda state: True)
