"""Strings as sequences of tokens: letters, EOS, and PAD up to the end; and rules that strings obey.

SOS is the start vector that a model's row 0 sees; it never stands in a sequence. The letters follow
from `FIRST_LETTER` on. After EOS every predictor gives PAD probability 1. So the rows of a sequence
add up to the log-probability of its string, and padding costs nothing.

Rules do not depend on the generators of strings. Every rule has two forms: a predicate of a whole
batch, which is fast, and an automaton that reads one string letter by letter, for exact
enumeration: the strings of one length pass through few states, so sums over all strings become sums
over states. A test compares the two forms on all short strings.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

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

    Raises ValueError if a string with its EOS is longer than `length`.
    """
    longest = max(map(len, strings), default=0)
    if longest >= length:
        raise ValueError(
            f"a string of {longest} letters and its EOS do not fit into {length} tokens; "
            f"use length {longest + 1} or more"
        )
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
