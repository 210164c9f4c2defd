"""Exact predictors of formal languages: the base class, and the case in which letter counts decide.

Row t has seen tokens[:, :t]. Before EOS, SOS and PAD have probability 0; after EOS, PAD has
probability 1. So the rows of a sequence add up to the log-probability of its string. After a prefix
of no string, all letters and EOS are equally probable. Results are float64, in nats.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import one_hot, pad

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.rules import Letters
from lexurn.generators.strings import EOS, FIRST_LETTER, force_padding, to_letters

Probs = Float64[Tensor, "batch rows choices"]
"""Probabilities, up to a factor per row, of each letter and of EOS (last); rows = letters + 1."""


class Oracle:
    """A predictor made from the law of letters and EOS, which a subclass gives in `law`.

    Rows in which `law` is zero follow a prefix of no string.
    """

    def __init__(self, name: str, max_length: int):
        self.language = LANGUAGES[name]
        self.language.check_length(max_length)
        self.max_length = max_length
        self.n_letters = len(self.language.letters)

    def law(self, letters: Letters) -> Probs:
        raise NotImplementedError

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.language.vocab_size)
        letters = to_letters(tokens[:, :-1], n_letters=self.n_letters)
        probs = self.law(letters)
        totals = probs.sum(-1, keepdim=True)
        is_foreign = pad((letters < 0).cumsum(-1) > 0, (1, 0))[..., None]
        is_impossible = is_foreign | ~(totals > 0)
        probs = torch.where(is_impossible, 1 / (self.n_letters + 1), probs / totals)
        log_probs = torch.full(
            (*tokens.shape, self.language.vocab_size), -torch.inf, dtype=torch.float64
        )
        log_probs[..., [*range(FIRST_LETTER, self.language.vocab_size), EOS]] = probs.log()
        return force_padding(log_probs, tokens)


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
        n_letters = len(max_counts)
        self.shape = tuple(count + 2 for count in max_counts)  # the last index has no mass
        self.counts = np.stack(np.indices(self.shape)).reshape(n_letters, -1)  # letters cells
        self.totals = self.counts.sum(0)
        self.string_probs = string_probs(self.counts).astype(float)
        self.may_follow = np.stack(
            [
                may_follow(letter, self.counts) & (self.counts[letter] <= max_counts[letter])
                for letter in range(n_letters)
            ]
        )
        # cell + strides[i] has one letter i more
        self.strides = np.array([int(np.prod(self.shape[i + 1 :])) for i in range(n_letters)])
        mass = self.string_probs.copy()
        for total in range(self.totals.max() - 1, -1, -1):
            for cells, next_cells in self.transitions(total):
                mass[cells] += mass[next_cells]
        next_mass = np.stack(
            [np.append(mass[stride:], np.zeros(stride)) for stride in self.strides]
        )
        letter_mass = np.where(self.may_follow, next_mass, 0.0)
        self.table = torch.from_numpy(np.stack([*letter_mass, self.string_probs], -1))

    def transitions(self, total: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each letter, the cells of `total` letters that it may follow, and the cells
        that it leads to."""
        cells = np.flatnonzero(self.totals == total)
        allowed = [cells[may_follow[cells]] for may_follow in self.may_follow]
        return [(c, c + stride) for c, stride in zip(allowed, self.strides, strict=True)]

    def law(self, letters: Letters) -> Probs:
        read = one_hot(letters.clamp_min(0), self.n_letters).cumsum(1)
        counts = pad(read, (0, 0, 1, 0)).minimum(torch.tensor(self.shape) - 1)
        cells = (counts * torch.from_numpy(self.strides)).sum(-1)  # batch rows
        may_follow = torch.from_numpy(self.may_follow.T)[cells[:, :-1]]  # batch time letters
        is_allowed = may_follow.gather(-1, letters.clamp_min(0)[..., None])[..., 0]
        is_prefix = pad(is_allowed.long().cumprod(-1), (1, 0), value=1)
        return self.table[cells] * is_prefix[..., None]
