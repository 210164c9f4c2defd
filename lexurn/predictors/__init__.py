"""Predictors that are exact: tokens (batch time) -> log-probabilities (batch time vocab), as any model's."""

from lexurn.predictors.counting import Empirical, Generalizing, Memorizing, Uniform
from lexurn.predictors.symmetrized import Symmetrized

__all__ = ["Empirical", "Generalizing", "Memorizing", "Symmetrized", "Uniform"]
