"""The oracle of each formal language: the exact law of the next token under the generator.

CountingOracle      baN, bbaN, aNbN, aNbNcN, abN, aNbM
NestedOracle        dyck, parentheses, brackets
InterleavedOracle   cs_dyck
"""

import numpy as np
from scipy.special import gammaln

from lexurn.generators.languages import LANGUAGES
from lexurn.predictors.oracles import CountingOracle, InterleavedOracle, NestedOracle, Oracle


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
