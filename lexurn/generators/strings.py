"""Strings as sequences of tokens: letters, EOS, and PAD up to the end; and rules that strings obey.

SOS is the start vector that a model's row 0 sees; it never stands in a sequence. The letters follow
from `FIRST_LETTER` on. After EOS every predictor gives PAD probability 1. So the rows of a sequence
add up to the log-probability of its string, and padding costs nothing.

Rules do not depend on the generators of strings. A rule is an automaton that reads letter by
letter: a whole batch of strings at once, or single strings for exact enumeration. The strings of
one length pass through few states, so sums over all strings become sums over states.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from lexurn.base.shapes import LogProbs, Tokens

SOS, EOS, PAD, FIRST_LETTER = 0, 1, 2, 3

Letters = Int64[Tensor, "batch time"]
"""Strings as letter numbers 0, 1, …; −1 after the end of a string, −2 for any other token."""

Mask = Bool[Tensor, "batch"]


def to_sequences(strings: Sequence[Sequence[int]], *, length: int) -> Tokens:
    """Return strings, given as letter numbers, as sequences (strings, length) with EOS and PAD.

    A string with its EOS has at most `length` tokens.
    """
    tokens = np.full((len(strings), length), PAD)
    n_letters = np.fromiter(map(len, strings), int, len(strings))
    letters = np.fromiter(chain.from_iterable(strings), int, n_letters.sum())
    tokens[np.arange(length) < n_letters[:, None]] = FIRST_LETTER + letters
    tokens[np.arange(len(strings)), n_letters] = EOS
    return torch.from_numpy(tokens)


def to_letters(tokens: Tokens, *, n_letters: int) -> Letters:
    """Return the letter numbers of each string: −1 from EOS on, −2 for what is no letter."""
    is_over = (tokens == EOS).cumsum(-1) > 0
    is_letter = (tokens >= FIRST_LETTER) & (tokens < FIRST_LETTER + n_letters)
    return torch.where(is_letter, tokens - FIRST_LETTER, -2).masked_fill(is_over, -1)


def string_lengths(tokens: Tokens) -> torch.Tensor:
    """Return the number of tokens before EOS in each sequence (batch); all without an EOS."""
    return ((tokens == EOS).cumsum(-1) == 0).sum(-1)


def mask_special_tokens(logits: LogProbs) -> LogProbs:
    """Return the logits with −inf for SOS and PAD, which no string contains."""
    ids = torch.arange(logits.shape[-1], device=logits.device)
    return logits.masked_fill((ids == SOS) | (ids == PAD), -torch.inf)


def force_padding(log_probs: LogProbs, tokens: Tokens) -> LogProbs:
    """Return the log-probabilities with probability 1 for PAD in every row that has seen EOS."""
    is_over = torch.nn.functional.pad((tokens[:, :-1] == EOS).cumsum(-1) > 0, (1, 0))
    ids = torch.arange(log_probs.shape[-1], device=log_probs.device)
    certain_pad = torch.where(ids == PAD, 0.0, -torch.inf).to(log_probs.dtype)
    return torch.where(is_over[..., None], certain_pad, log_probs)


@dataclass(frozen=True)
class Rule:
    """A rule as text for people, and as an automaton that reads a string letter by letter.

    A string obeys the rule if it leads from the state `start` to one that `accepts` holds for.
    `step` and `accepts` are arithmetic on whole numbers, so that they read one letter, or a tensor
    with the next letter of each string (batch). After the end of a string (−1) a state stays.
    """

    text: str
    start: Hashable
    step: Callable[[Any, Any], Any]
    accepts: Callable[[Any], Any]

    def is_obeyed(self, letters: Letters) -> Mask:
        """Return whether each string obeys the rule."""
        state = self.start
        for letter in letters.unbind(-1):
            state = self.step(state, letter)
        return self.accepts(state)


def even_count(text: str, letter: int) -> Rule:
    """Require an even number of `letter`; the state is its parity."""
    return Rule(text, 0, lambda parity, read: parity ^ (read == letter), lambda parity: parity == 0)


def even_final_run(text: str, letter: int) -> Rule:
    """Require that the string's final run of `letter`, which may be empty, has even length."""
    return Rule(
        text,
        0,
        lambda parity, read: (1 - parity) * (read == letter) + parity * (read == -1),
        lambda parity: parity == 0,
    )


def starts_with(text: str, letter: int) -> Rule:
    """Require that `letter` comes first; the state is 0 before it, then 1 if it does, else −1."""
    return Rule(
        text,
        0,
        lambda state, read: state + (state == 0) * (2 * (read == letter) - 1),
        lambda state: state == 1,
    )


def equal_counts(text: str, *alphabet: int) -> Rule:
    """Require equally many of all letters; the state is their excess over the first letter."""

    def step(excess: tuple[Any, ...], read: Any) -> tuple[Any, ...]:
        return tuple(
            count + 1 * (read == letter) - 1 * (read == alphabet[0])
            for count, letter in zip(excess, alphabet[1:], strict=True)
        )

    start = (0,) * (len(alphabet) - 1)
    return Rule(text, start, step, lambda excess: sum(abs(count) for count in excess) == 0)


def in_order(text: str, *alphabet: int) -> Rule:
    """Require that letters come in the order of `alphabet`; the state is the last letter's rank, or
    −1 after an error."""

    def step(rank: Any, read: Any) -> Any:
        next_rank = sum(place * (read == letter) for place, letter in enumerate(alphabet))
        next_rank = next_rank + rank * (read == -1)
        return (next_rank + 1) * (rank >= 0) * (rank <= next_rank) - 1

    return Rule(text, 0, step, lambda rank: rank >= 0)


def in_order_of_one_pair(text: str) -> Rule:
    """Require letters 0, then 1, or letters 2, then 3, and so on, of one pair alone; the state is 0
    before the first letter, then 1 + the last letter, or −1 after an error."""

    def step(state: Any, read: Any) -> Any:
        follows = (read == state - 1) | ((read == state) & (state % 2 == 1)) | (state == 0)
        follows = (follows & (state >= 0)) | (read == -1)
        next_state = (read + 1) * (read >= 0) + state * (read == -1)
        return (next_state + 1) * follows - 1

    return Rule(text, 0, step, lambda state: state >= 0)


def all_of(text: str, *rules: Rule) -> Rule:
    """Require what all rules require; the state is the tuple of their states."""

    def step(states: tuple[Any, ...], read: Any) -> tuple[Any, ...]:
        return tuple(rule.step(state, read) for rule, state in zip(rules, states, strict=True))

    def accepts(states: tuple[Any, ...]) -> Any:
        return reduce(
            and_, (rule.accepts(state) for rule, state in zip(rules, states, strict=True)), True
        )

    return Rule(text, tuple(rule.start for rule in rules), step, accepts)


def balanced(text: str, opening: int) -> Rule:
    """Require that every `opening` is closed later by `opening` + 1, and that nothing else is
    closed; the state is the depth, or −1 after an error."""

    def step(depth: Any, read: Any) -> Any:
        return depth + (depth >= 0) * (1 * (read == opening) - 1 * (read == opening + 1))

    return Rule(text, 0, step, lambda depth: depth == 0)


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
