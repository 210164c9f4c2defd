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
