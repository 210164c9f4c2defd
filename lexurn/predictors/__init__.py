"""Predictors that are exact: tokens (batch time) -> log-probabilities (batch time vocab), as any model's."""

from lexurn.predictors.counting import Empirical, Generalizing, Memorizing, Uniform
from lexurn.predictors.symmetrized import MOST_COLORS, Symmetrized

__all__ = ["MOST_COLORS", "Empirical", "Generalizing", "Memorizing", "Symmetrized", "Uniform"]
