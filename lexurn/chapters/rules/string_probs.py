"""The strings of languages in which letter counts decide: their entropy and their lengths."""

import numpy as np
from jaxtyping import Float64

from lexurn.predictors.grammars import CountingOracle


def string_entropy(oracle: CountingOracle) -> tuple[float, float]:
    """Return the entropy in nats per string, and the mean length of strings."""
    string_probs, class_probs, lengths = _string_classes(oracle)
    entropy = -(class_probs * np.log(string_probs)).sum()
    return float(entropy), float((class_probs * lengths).sum())


def length_probs(oracle: CountingOracle) -> Float64[np.ndarray, "lengths"]:
    """Return the probability of each string length 0 … max_length."""
    _, class_probs, lengths = _string_classes(oracle)
    return np.bincount(lengths, weights=class_probs, minlength=oracle.max_length + 1)


def _string_classes(oracle: CountingOracle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each possible count vector: the probability of one string, of all strings with
    these counts, and their length."""
    n_prefixes = np.zeros(len(oracle.totals))
    n_prefixes[0] = 1.0
    for total in range(oracle.totals.max()):
        for cells, next_cells in oracle.transitions(total):
            n_prefixes[next_cells] += n_prefixes[cells]
    is_string = (oracle.string_probs > 0) & (n_prefixes > 0)
    probs = oracle.string_probs[is_string]
    return probs, (n_prefixes * oracle.string_probs)[is_string], oracle.totals[is_string]
