"""Exact predictors: tokens (batch time) -> log-probabilities (batch time vocab), in nats.

Generalizing   G: Bayes under the Dirichlet prior of urns             counting.py
Memorizing     M: Bayes under a finite pool of urns                   counting.py
Symmetrized    S: Bayes under the pool with all relabeled colours     symmetrized.py
Uniform, Empirical   constant and empirical frequencies               counting.py
grammars.oracle      the exact law of a formal language               grammars.py
ngrams, relabelled   n-grams, renamed tokens
"""

from lexurn.predictors.combining import Average, cache_predictions, mean_prediction
from lexurn.predictors.counting import Empirical, Generalizing, Memorizing, Uniform
from lexurn.predictors.symmetrized import MAX_COLORS, Symmetrized

__all__ = [
    "MAX_COLORS",
    "Average",
    "Empirical",
    "Generalizing",
    "Memorizing",
    "Symmetrized",
    "Uniform",
    "cache_predictions",
    "mean_prediction",
]
