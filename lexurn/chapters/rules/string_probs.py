"""The strings of a language in classes of equal probability: entropy, lengths, and how many.

Where letter counts decide, a class is the strings with equal counts. Nested brackets have a class
for each number n of pairs and each length c of the last run of closing brackets. With T types and M
caps, such a string has the probability

    p = ((M − n) + (T + 1)^c) / (M T (T + 1)^(2n − 1))

because under the M − n larger caps 2n − 1 letters were drawn from T + 1, and under the cap 2n the
last c letters were certain. The brackets of a string enclose a Dyck word of n − 1 pairs whose last
run is one shorter; the number of these Dyck words is a ballot number.
"""

from collections.abc import Iterator
from math import comb, log

import numpy as np
from jaxtyping import Float64

from lexurn.predictors.grammars import CountingOracle, InterleavedOracle, NestedOracle
from lexurn.predictors.oracle import Oracle

StringClass = tuple[float, float, int, int]
"""The log-probability of one string, the probability of all, their length, and their number."""


def string_classes(oracle: Oracle) -> list[StringClass]:
    """Return the strings of an oracle's language in classes of equal probability.

    Raises TypeError for interleaved brackets, where classes have no closed form.
    """
    if isinstance(oracle, CountingOracle):
        return _counting_classes(oracle)
    if isinstance(oracle, NestedOracle):
        return list(_nested_classes(oracle.n_letters // 2, oracle.max_length // 2))
    raise TypeError(f"the strings of {oracle.language.name} have no classes in closed form")


def string_entropy(oracle: Oracle) -> tuple[float, float]:
    """Return the entropy in nats per string, and the mean length of strings."""
    log_probs, probs, lengths, _ = map(np.array, zip(*string_classes(oracle), strict=True))
    return float(-(probs * log_probs).sum()), float((probs * lengths).sum())


def length_probs(oracle: Oracle) -> Float64[np.ndarray, "lengths"]:
    """Return the probability of each string length 0 … max_length."""
    _, probs, lengths, _ = zip(*string_classes(oracle), strict=True)
    return np.bincount(lengths, weights=probs, minlength=oracle.max_length + 1)


def count_strings(oracle: Oracle) -> int:
    """Return how many different strings the language's generator can draw.

    Where letter counts decide, numbers above 2^53 are rounded. Of interleaved brackets, C_n C_{n+1}
    strings have n pairs, where C_n is a Catalan number.
    """
    if isinstance(oracle, InterleavedOracle):
        pairs = range(1, oracle.max_length // 2 + 1)
        return sum(_catalan(n) * _catalan(n + 1) for n in pairs)
    return sum(number for *_, number in string_classes(oracle))


def _counting_classes(oracle: CountingOracle) -> list[StringClass]:
    n_prefixes = np.zeros(len(oracle.totals))
    n_prefixes[0] = 1.0
    for total in range(oracle.totals.max()):
        for cells, next_cells in oracle.transitions(total):
            n_prefixes[next_cells] += n_prefixes[cells]
    is_string = (oracle.string_probs > 0) & (n_prefixes > 0)
    probs, numbers = oracle.string_probs[is_string], n_prefixes[is_string]
    columns = (np.log(probs), numbers * probs, oracle.totals[is_string])
    rows = zip(*(column.tolist() for column in columns), map(int, numbers), strict=True)
    return list(rows)


def _nested_classes(n_types: int, n_caps: int) -> Iterator[StringClass]:
    for n_pairs in range(1, n_caps + 1):
        for n_closes in range(1, n_pairs + 1):
            number = n_types**n_pairs * _n_dyck_words(n_pairs - 1, n_closes - 1)
            if number:
                odds = (n_caps - n_pairs) + (n_types + 1) ** n_closes
                total = n_caps * n_types * (n_types + 1) ** (2 * n_pairs - 1)
                # Whole numbers, so that nothing overflows or vanishes before the division.
                yield log(odds) - log(total), number * odds / total, 2 * n_pairs, number


def _n_dyck_words(n_pairs: int, last_run: int) -> int:
    """Return the number of Dyck words of one type that end with so many closing brackets."""
    if n_pairs == 0 or last_run == 0:
        return int(n_pairs == last_run)
    return last_run * comb(2 * n_pairs - last_run - 1, n_pairs - 1) // n_pairs


def _catalan(n: int) -> int:
    return comb(2 * n, n) // (n + 1)
