"""Oracles of formal languages: the exact law of the next token under the generator, given all tokens before it.

    Counting       where the letters seen so far, and how many of each, decide: baN, bbaN, aNbN, aNbNcN, abN, aNbM
    Nested         dyck, parentheses, brackets
    Interleaved    cs_dyck

Row t has seen tokens[:, :t]. Inside a word SOS and PAD have probability 0, and after EOS nothing is left to predict:
PAD is certain. So the rows of a sequence add up to the log-probability of its word. After what no word begins with,
letters and EOS are all alike. Float64.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64
from scipy.special import gammaln
from torch import Tensor
from torch.nn.functional import one_hot, pad

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.rules import Letters
from lexurn.generators.strings import EOS, FIRST, letters_of, padded

Probs = Float64[Tensor, "batch rows choices"]
"""Of each letter, and of EOS last; a row more than there are letters."""


class Oracle:
    """A predictor from the law of letters and EOS that a subclass gives; no probability where no word begins so."""

    def __init__(self, name: str, max_length: int):
        self.language, self.max_length = LANGUAGES[name], max_length
        self.language.check_length(max_length)
        self.n_letters = len(self.language.letters)

    def law(self, letters: Letters) -> Probs:
        raise NotImplementedError

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.language.vocab_size)
        letters = letters_of(tokens[:, :-1], n_letters=self.n_letters)
        probs = self.law(letters)
        lost = pad((letters < 0).cumsum(-1) > 0, (1, 0))[..., None] | ~(
            probs.sum(-1, keepdim=True) > 0
        )
        probs = torch.where(lost, 1 / (self.n_letters + 1), probs / probs.sum(-1, keepdim=True))
        found = torch.full(
            (*tokens.shape, self.language.vocab_size), -torch.inf, dtype=torch.float64
        )
        found[..., FIRST:], found[..., EOS] = probs[..., :-1].log(), probs[..., -1].log()
        return padded(found, tokens)


class Counting(Oracle):
    """`may(letter, counts)`: whether a letter may follow; `ends(counts)`: how probable one word with these counts is.

    The mass of a prefix, the probability of all words that begin with it, depends on its counts alone:
    mass(n) = ends(n) + Σ_i may(i, n) mass(n + e_i), summed from the longest words down.
    """

    def __init__(self, name: str, max_length: int, may: Callable, ends: Callable, most: list[int]):
        super().__init__(name, max_length)
        self.shape = tuple(each + 2 for each in most)  # one more, where nothing has mass
        counts = np.stack(np.indices(self.shape)).reshape(len(most), -1)
        self.ends = ends(*counts).astype(float)
        self.may = np.stack(
            [may(letter, counts) & (counts[letter] <= most[letter]) for letter in range(len(most))]
        )
        self.steps = np.array(
            [int(np.prod(self.shape[letter + 1 :])) for letter in range(len(most))]
        )
        totals = counts.sum(0)
        self.mass, self.counts = self.ends.copy(), counts
        for total in range(totals.max() - 1, -1, -1):
            here = np.flatnonzero(totals == total)
            for letter, step in enumerate(self.steps):
                some = here[self.may[letter, here]]
                self.mass[some] += self.mass[some + step]
        after = [np.append(self.mass[step:], np.zeros(step)) for step in self.steps]
        follow = [np.where(may, mass, 0.0) for may, mass in zip(self.may, after, strict=True)]
        self.table = torch.from_numpy(np.stack([*follow, self.ends], -1))

    def law(self, letters: Letters) -> Probs:
        seen = one_hot(letters.clamp_min(0), self.n_letters).cumsum(1)
        counts = pad(seen, (0, 0, 1, 0)).minimum(torch.tensor(self.shape) - 1)
        state = (counts * torch.from_numpy(self.steps)).sum(-1)
        allowed = torch.from_numpy(self.may.T)[state[:, :-1]].gather(
            -1, letters.clamp_min(0)[..., None]
        )[..., 0]
        alive = pad(allowed.long().cumprod(-1), (1, 0), value=1)
        return self.table[state] * alive[..., None]

    def _words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each kind of counts that words have: how probable one of its words is, all of them, and their length."""
        totals, paths = self.counts.sum(0), np.zeros(len(self.mass))
        paths[0] = 1.0  # how many prefixes have these counts
        for total in range(totals.max()):
            here = np.flatnonzero(totals == total)
            for letter, step in enumerate(self.steps):
                some = here[self.may[letter, here]]
                paths[some + step] += paths[some]
        there = (self.ends > 0) & (paths > 0)
        return self.ends[there], (paths * self.ends)[there], totals[there]

    def entropy(self) -> tuple[float, float]:
        """Nats per word, and the mean length of words."""
        each, p, length = self._words()
        return float(-(p * np.log(each)).sum()), float((p * length).sum())

    def lengths(self) -> Float64[np.ndarray, "lengths"]:
        """How probable each length is."""
        _, p, length = self._words()
        return np.bincount(length, weights=p, minlength=self.max_length + 1)


class Nested(Oracle):
    """Words drawn with a cap m, which decides when words must close: opens and the match are equally probable while
    2 · (openings so far) < m, and from then on only the match.

    Given openings o, the cap is 2o, or one of the max_length / 2 − o larger ones; every close since the last opening
    was certain under the first and one of (kinds + 1) under the others.
    """

    def law(self, letters: Letters) -> Probs:
        n, kinds = len(letters), self.n_letters // 2
        probs = torch.zeros(n, letters.shape[1] + 1, self.n_letters + 1, dtype=torch.float64)
        probs[:, 0, 0 : 2 * kinds : 2] = 1 / kinds
        stack, depth = letters.new_zeros(n, letters.shape[1] + 1), letters.new_zeros(n)
        opened, closed, alive, rows = (
            depth.clone(),
            depth.clone(),
            torch.ones(n, dtype=torch.bool),
            torch.arange(n),
        )
        for t, letter in enumerate(letters.unbind(-1), 1):
            opens = letter % 2 == 0
            top = stack[rows, (depth - 1).clamp_min(0)]
            good = torch.where(opens, (t == 1) | (depth > 0), (depth > 0) & (letter == top + 1))
            alive = alive & good & (letter >= 0)
            stack[rows, depth] = torch.where(opens, letter, stack[rows, depth])
            depth = (depth + opens.long() - (~opens).long()).clamp_min(0)
            opened, closed = opened + opens.long(), torch.where(opens, 0, closed + 1)
            alive = alive & (2 * opened <= self.max_length)
            larger = (self.max_length // 2 - opened).clamp_min(0) * (
                kinds + 1.0
            ) ** -closed.double()
            free = larger / (1 + larger)
            match = stack[rows, (depth - 1).clamp_min(0)] + 1
            law = (free / (kinds + 1))[:, None] * (torch.arange(self.n_letters + 1) % 2 == 0)
            law[:, -1] = 0.0
            law[rows, match] = 1 - free * kinds / (kinds + 1)
            law = torch.where(
                (depth > 0)[:, None], law, torch.eye(self.n_letters + 1, dtype=torch.float64)[-1]
            )
            probs[:, t] = law * alive[:, None]
        return probs


class Interleaved(Oracle):
    """Words of exactly m letters: opens and possible closes are equally probable while 2 · (openings so far) < m, and
    from then on only closes. As in `Nested`, the cap is 2o or larger, by the closes since the last opening."""

    def law(self, letters: Letters) -> Probs:
        seen = pad(one_hot(letters.clamp_min(0), 4).cumsum(1), (0, 0, 1, 0))  # batch time 4
        depths = torch.stack([seen[..., 0] - seen[..., 1], seen[..., 2] - seen[..., 3]], -1)
        alive = ((depths >= 0).all(-1)).long().cumprod(-1).bool()
        opened = seen[..., 0] + seen[..., 2]
        alive = alive & (2 * opened <= self.max_length)
        possible = (depths > 0).sum(-1).double()
        closes = letters % 2 == 1
        odds = torch.where(
            closes, ((possible + 2) / possible.clamp_min(1)).log()[:, :-1], 0.0
        ).cumsum(-1)
        last = torch.where(closes, 0, torch.arange(1, letters.shape[1] + 1)).cummax(-1).values
        odds, last = pad(odds, (1, 0)), pad(last, (1, 0))
        since = odds - odds.gather(-1, last)
        larger = (self.max_length // 2 - opened).clamp_min(0) * torch.exp(-since)
        free = torch.where(opened == 0, 1.0, larger / (1 + larger))[..., None]  # batch time 1
        each, bound = (
            free / (2 + possible[..., None]),
            (1 - free) / possible[..., None].clamp_min(1),
        )
        may = (depths > 0).double()
        opening, closing = each.expand_as(depths), (each + bound) * may  # batch time 2
        ends = torch.where(
            possible == 0, 1 - free[..., 0], 0.0
        )  # with nothing open, the cap is what was seen
        letters_law = torch.stack([opening, closing], -1).flatten(-2)  # ( ) [ ]
        return torch.cat([letters_law, ends[..., None]], -1) * alive[..., None]


def _even_as(length: np.ndarray, n_a: np.ndarray, most: int) -> np.ndarray:
    """The probability of a length and a number of a's (see `tasks.languages`)."""
    there = (length >= 1) & (length <= most) & (n_a % 2 == 0) & (n_a < length)
    return np.where(there, 1 / (most * (np.maximum(length - 1, 0) // 2 + 1)), 0.0)


def _arrangements(*counts: np.ndarray) -> np.ndarray:
    """How many words have these counts, in whatever order."""
    return np.exp(gammaln(sum(counts) + 1) - sum(gammaln(each + 1) for each in counts))


def oracle(name: str, *, max_length: int) -> Oracle:
    """The oracle of a language. Raises ValueError for a length at which it has no word."""
    most = max_length

    def may_in_order(letter: int, counts: np.ndarray) -> np.ndarray:
        return (counts[letter + 1 :] == 0).all(0)

    match name:
        case "dyck" | "parentheses" | "brackets":
            return Nested(name, most)
        case "cs_dyck":
            return Interleaved(name, most)
        case "aNbN":
            n = most // 2
            return Counting(
                name, most, may_in_order, lambda a, b: (a == b) * ((a >= 1) & (a <= n)) / n, [n, n]
            )
        case "aNbNcN":
            n = most // 3
            return Counting(
                name,
                most,
                may_in_order,
                lambda a, b, c: (a == b) * (b == c) * ((a >= 1) & (a <= n)) / n,
                [n, n, n],
            )
        case "aNbM":
            return Counting(
                name, most, may_in_order,
                lambda a, b: (a + b == most - 2) * ((a >= 1) & (b >= 1)) / (most - 3), [most - 3, most - 3],
            )  # fmt: skip
        case "abN":
            n = most // 2
            return Counting(
                name, most, lambda letter, counts: counts[0] >= 0,
                lambda a, b: (a == b) * ((a >= 1) & (a <= n)) / n / _arrangements(a, b), [n, n],
            )  # fmt: skip
        case "baN":
            return Counting(
                name, most, lambda letter, counts: (counts.sum(0) > 0) | (letter == 1),
                lambda a, b: np.where(b >= 1, _even_as(a + b, a, most) / _arrangements(a, np.maximum(b - 1, 0)), 0.0),
                [most, most],
            )  # fmt: skip
        case "bbaN":
            return Counting(
                name, most, lambda letter, counts: (counts[0] == 0) | (letter == 0),
                lambda a, b: np.where(b >= 1, _even_as(a + b, a, most), 0.0), [most, most],
            )  # fmt: skip
    raise ValueError(f"no language {name}; there are {', '.join(LANGUAGES)}")
