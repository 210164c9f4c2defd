"""Exact predictors: tokens (batch time) -> log-probabilities (batch time vocab), in nats.

Generalizing   G: Bayes under the Dirichlet prior of urns             counting.py
Memorizing     M: Bayes under a finite pool of urns                   counting.py
Symmetrized    S: Bayes under the pool with all relabeled colours     symmetrized.py,
               in compiled loops where they are faster                compiled.py, permanents.py
Uniform, Empirical   constant and empirical frequencies               counting.py
RenamingMixture      Bayes under all renamings of the tokens          combining.py
SequenceMixture      Bayes over predictors of whole sequences         combining.py
grammars.oracle      the exact law of a formal language               grammars.py
Unigram, Bigram      frequencies of tokens and of pairs in a text     counting.py
"""

from lexurn.predictors.combining import (
    Average,
    PerSequencePredictor,
    RenamingMixture,
    SequenceMixture,
    cache_prediction,
    cache_predictions,
    mean_prediction,
)
from lexurn.predictors.compiled import Symmetrized
from lexurn.predictors.counting import Empirical, Generalizing, Memorizing, Uniform
from lexurn.predictors.symmetrized import MAX_COLORS

__all__ = [
    "MAX_COLORS",
    "Average",
    "Empirical",
    "Generalizing",
    "Memorizing",
    "PerSequencePredictor",
    "RenamingMixture",
    "SequenceMixture",
    "Symmetrized",
    "Uniform",
    "cache_prediction",
    "cache_predictions",
    "mean_prediction",
]
