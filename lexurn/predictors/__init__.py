"""Predictors that are exact: tokens (batch time) -> log-probabilities (batch time vocab), as any model's."""

from lexurn.predictors.combining import Average, mean_prediction, remembered
from lexurn.predictors.counting import Empirical, Generalizing, Memorizing, Uniform
from lexurn.predictors.symmetrized import MOST_COLORS, Symmetrized

__all__ = [
    "MOST_COLORS",
    "Average",
    "Empirical",
    "Generalizing",
    "Memorizing",
    "Symmetrized",
    "Uniform",
    "mean_prediction",
    "remembered",
]
