"""The oracle of each formal language: the exact law of the next token under the generator.

CountingOracle      baN, bbaN, aNbN, aNbNcN, abN, aNbM: letter counts decide
NestedOracle        dyck, parentheses, brackets
InterleavedOracle   cs_dyck
TwoAlphabetsOracle  aNbN_cNdN

Row t has seen tokens[:, :t]. Before EOS, SOS and PAD have probability 0; after EOS, PAD has
probability 1. So the rows of a sequence add up to the log-probability of its string. After a prefix
of no string, all letters and EOS are equally probable. Results are float64, in nats.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.special import gammaln
from torch.nn.functional import one_hot, pad

from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import Letters, read_brackets
from lexurn.predictors.oracle import Oracle, Probs


class CountingOracle(Oracle):
    """The oracle of a language in which the letter counts n of a prefix decide how it goes on.

    `may_follow(letter, counts)` says whether a letter may follow, and `string_probs(counts)` how
    probable one string with these counts is. The mass of a prefix, which is the probability of all
    strings that begin with it, depends on its counts alone and is summed from the longest strings
    down:

        mass(n) = string_probs(n) + Σ_i may_follow(i, n) mass(n + e_i)
    """

    def __init__(
        self,
        name: str,
        max_length: int,
        *,
        max_counts: Sequence[int],
        may_follow: Callable[[int, np.ndarray], np.ndarray],
        string_probs: Callable[[np.ndarray], np.ndarray],
    ):
        super().__init__(name, max_length)
        self.shape = tuple(count + 2 for count in max_counts)  # the last index has no mass
        self.counts = np.indices(self.shape).reshape(self.n_letters, -1)  # letters cells
        self.totals = self.counts.sum(0)
        self.string_probs = string_probs(self.counts).astype(float)
        self.may_follow = np.stack(
            [
                may_follow(letter, self.counts) & (self.counts[letter] <= max_counts[letter])
                for letter in range(self.n_letters)
            ]
        )
        # cell + strides[i] has one letter i more
        self.strides = np.array([int(np.prod(self.shape[i + 1 :])) for i in range(self.n_letters)])
        mass = self.string_probs.copy()
        for total in range(self.totals.max() - 1, -1, -1):
            for cells, next_cells in self.transitions(total):
                mass[cells] += mass[next_cells]
        next_mass = [np.append(mass[stride:], np.zeros(stride)) for stride in self.strides]
        letter_mass = np.where(self.may_follow, next_mass, 0.0)
        self.table = torch.from_numpy(np.stack([*letter_mass, self.string_probs], -1))

    def transitions(self, total: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each letter, the cells of `total` letters that it may follow, and the cells
        that it leads to."""
        cells = np.flatnonzero(self.totals == total)
        allowed = [cells[may_follow[cells]] for may_follow in self.may_follow]
        return [(c, c + stride) for c, stride in zip(allowed, self.strides, strict=True)]

    def law(self, letters: Letters) -> Probs:
        counts = pad(one_hot(letters.clamp_min(0), self.n_letters).cumsum(1), (0, 0, 1, 0))
        indices = counts.minimum(torch.tensor(self.shape) - 1)
        cells = (indices * torch.from_numpy(self.strides)).sum(-1)  # batch rows
        may_follow = torch.from_numpy(self.may_follow.T)[cells[:, :-1]]  # batch time letters
        is_allowed = may_follow.gather(-1, letters.clamp_min(0)[..., None])[..., 0]
        is_prefix = pad(is_allowed.long().cumprod(-1), (1, 0), value=1)
        return self.table[cells] * is_prefix[..., None]


class NestedOracle(Oracle):
    """The oracle of nested brackets, whose generator draws a cap m that decides when to close.

    Openings and the matching closing bracket are equally probable while 2 · (openings so far) < m;
    from then on the matching closing bracket is certain. After o openings the cap is 2o, or one of
    the max_length / 2 − o larger caps. Every closing bracket since the last opening was certain
    under the cap 2o, and had probability 1 / (types + 1) under the larger caps.
    """

    def law(self, letters: Letters) -> Probs:
        n_types = self.n_letters // 2
        tops, depths, is_prefix = read_brackets(letters)  # each batch rows
        rows = torch.arange(depths.shape[1])
        opens = pad(letters % 2 == 0, (1, 0))
        n_opened = opens.cumsum(-1)
        n_closed = rows - torch.where(opens, rows, 0).cummax(-1).values  # since the last opening
        is_complete = (depths == 0) & (rows > 0)
        goes_on = pad(is_complete, (1, 0))[:, :-1].cumsum(-1) > 0  # after a complete string
        is_prefix &= ~goes_on & (2 * n_opened <= self.max_length)
        n_larger = (self.max_length // 2 - n_opened).clamp_min(0)
        odds = n_larger * (n_types + 1.0) ** -n_closed.double()
        free = (odds / (1 + odds))[..., None]  # the posterior probability of a larger cap
        choices = torch.arange(self.n_letters + 1)
        is_opening = (choices % 2 == 0) & (choices < self.n_letters)
        law = free / (n_types + 1) * is_opening
        law = torch.where(choices == tops[..., None] + 1, 1 - free * n_types / (n_types + 1), law)
        law[is_complete] = (choices == self.n_letters).double()
        law[:, 0] = is_opening / n_types
        return law * is_prefix[..., None]


class InterleavedOracle(Oracle):
    """The oracle of interleaved brackets: strings of exactly m letters, with a drawn length m.

    Openings and possible closing brackets are equally probable while 2 · (openings so far) < m;
    from then on only closing brackets come. As in `NestedOracle`, m is 2o or larger, and the
    closing brackets since the last opening decide between the two.
    """

    def law(self, letters: Letters) -> Probs:
        counts = pad(one_hot(letters.clamp_min(0), 4).cumsum(1), (0, 0, 1, 0))  # batch rows 4
        depths = counts[..., 0::2] - counts[..., 1::2]  # batch rows 2
        n_opened = counts[..., 0] + counts[..., 2]
        is_prefix = (depths >= 0).all(-1).long().cumprod(-1).bool()
        is_prefix &= 2 * n_opened <= self.max_length
        is_open = (depths > 0).double()
        n_open = is_open.sum(-1)
        closes = letters % 2 == 1
        steps = ((n_open + 2) / n_open.clamp_min(1)).log()[:, :-1]
        log_odds = pad(torch.where(closes, steps, 0.0).cumsum(-1), (1, 0))
        opening_rows = torch.where(closes, 0, torch.arange(1, letters.shape[1] + 1))
        last_opening = pad(opening_rows.cummax(-1).values, (1, 0))
        n_larger = (self.max_length // 2 - n_opened).clamp_min(0)
        odds = n_larger * torch.exp(-(log_odds - log_odds.gather(-1, last_opening)))
        free = torch.where(n_opened == 0, 1.0, odds / (1 + odds))[..., None]  # batch rows 1
        if_free = free / (2 + n_open[..., None])
        if_bound = (1 - free) / n_open[..., None].clamp_min(1)
        closing = (if_free + if_bound) * is_open  # batch rows 2
        brackets = torch.stack([if_free.expand_as(depths), closing], -1).flatten(-2)  # ( ) [ ]
        # with nothing open, a string ends unless its length m is larger
        ends = torch.where(n_open == 0, 1 - free[..., 0], 0.0)
        return torch.cat([brackets, ends[..., None]], -1) * is_prefix[..., None]


class TwoAlphabetsOracle(Oracle):
    """The oracle of a language whose strings are written in one of two alphabets, by chance.

    `part` is the oracle in the first alphabet. The first letter tells the alphabet.
    """

    def __init__(self, name: str, part: Oracle):
        super().__init__(name, part.max_length)
        self.part = part

    def law(self, letters: Letters) -> Probs:
        n = self.part.n_letters
        alphabet = letters[:, :1].clamp_min(0) // n
        own = letters - n * alphabet
        is_own = pad(((own >= 0) & (own < n)).long().cumprod(-1), (1, 0), value=1)[..., None]
        law = self.part.law(own.clamp(0, n - 1)) * is_own
        is_second = pad(alphabet.expand_as(letters), (1, 0))[..., None] == 1
        first, end = law[..., :n], law[..., n:]
        law = torch.cat([first * ~is_second, first * is_second, end], -1)
        law[:, 0, n : 2 * n] = law[:, 0, :n]  # the alphabet is not known yet
        return law


def oracle(name: str, *, max_length: int) -> Oracle:
    """Return the oracle of a language for strings of at most `max_length` letters.

    Raises ValueError for an unknown language, or if the language has no string that short.
    """
    match name:
        case "dyck" | "parentheses" | "brackets":
            return NestedOracle(name, max_length)
        case "cs_dyck":
            return InterleavedOracle(name, max_length)
        case "aNbN" | "aNbNcN":
            n_letters = len(LANGUAGES[name].letters)
            return CountingOracle(
                name,
                max_length,
                max_counts=[max_length // n_letters] * n_letters,
                may_follow=lambda letter, counts: (counts[letter + 1 :] == 0).all(0),
                string_probs=lambda counts: _equal_count_probs(counts, max_length),
            )
        case "aNbN_cNdN":
            return TwoAlphabetsOracle(name, oracle("aNbN", max_length=max_length))
        case "abN":
            return CountingOracle(
                name,
                max_length,
                max_counts=[max_length // 2] * 2,
                may_follow=lambda letter, counts: counts[0] >= 0,
                string_probs=lambda counts: (
                    _equal_count_probs(counts, max_length) / _n_arrangements(*counts)
                ),
            )
        case "aNbM":
            return CountingOracle(
                name,
                max_length,
                max_counts=[max_length - 3] * 2,
                may_follow=lambda letter, counts: (counts[letter + 1 :] == 0).all(0),
                string_probs=lambda counts: (
                    ((counts.sum(0) == max_length - 2) & (counts >= 1).all(0)) / (max_length - 3)
                ),
            )
        case "baN":
            return CountingOracle(
                name,
                max_length,
                max_counts=[max_length] * 2,
                may_follow=lambda letter, counts: (counts.sum(0) > 0) | (letter == 1),
                string_probs=lambda counts: (
                    _even_count_probs(counts, max_length)
                    / _n_arrangements(counts[0], np.maximum(counts[1] - 1, 0))
                ),
            )
        case "bbaN":
            return CountingOracle(
                name,
                max_length,
                max_counts=[max_length] * 2,
                may_follow=lambda letter, counts: (counts[0] == 0) | (letter == 0),
                string_probs=lambda counts: _even_count_probs(counts, max_length),
            )
    raise ValueError(f"no language {name}; there are {', '.join(LANGUAGES)}")


def _equal_count_probs(counts: np.ndarray, max_length: int) -> np.ndarray:
    """Return the probability of equal counts, uniform in 1 … ⌊max_length / letters⌋."""
    max_count = max_length // len(counts)
    is_possible = (counts == counts[0]).all(0) & (counts[0] >= 1) & (counts[0] <= max_count)
    return is_possible / max_count


def _even_count_probs(counts: np.ndarray, max_length: int) -> np.ndarray:
    """Return the probability of a length and an even number of a's, with one b or more."""
    length = counts.sum(0)
    is_possible = (counts[1] >= 1) & (length <= max_length) & (counts[0] % 2 == 0)
    n_choices = np.maximum(length - 1, 0) // 2 + 1
    return np.where(is_possible, 1 / (max_length * n_choices), 0.0)


def _n_arrangements(*counts: np.ndarray) -> np.ndarray:
    """Return the number of strings with these letter counts, in any order."""
    return np.exp(gammaln(sum(counts) + 1) - sum(gammaln(count + 1) for count in counts))
