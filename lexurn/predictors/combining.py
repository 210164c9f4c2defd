"""Predictors made of predictors: the average of several, and one that remembers its answers."""

from collections.abc import Iterable, Mapping, Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.base.divergences import as_double
from lexurn.base.shapes import LogProbs, Predictor, Tokens


class Average:
    """The mean of several predictors' probabilities; of one lexical model under several tables, for example."""

    def __init__(self, predictors: Sequence[Predictor]):
        if not predictors:
            raise ValueError("an average needs at least one predictor, got none")
        self.predictors = tuple(predictors)

    def __call__(self, tokens: Tokens) -> LogProbs:
        return mean_prediction(self.each(tokens))

    def each(self, tokens: Tokens) -> Float[Tensor, "predictors batch time vocab"]:
        """What every one of them predicts."""
        return torch.stack([as_double(predictor(tokens)) for predictor in self.predictors])


def mean_prediction(log_probs: Float[Tensor, "predictors batch time vocab"]) -> LogProbs:
    """Log of the mean probability."""
    return log_probs.logsumexp(0) - log(len(log_probs))


class Remembered:
    """A predictor that computes once for each of the given tensors of sequences, which must not be changed in place.

    Anything else, also a slice of one of them, is computed whenever it is asked for.
    """

    def __init__(self, predictor: Predictor, sequences: Iterable[Tokens]):
        self.predictor, self.sequences = predictor, list(sequences)
        self.answers: dict[int, LogProbs] = {}

    def __call__(self, tokens: Tokens) -> LogProbs:
        if not any(tokens is known for known in self.sequences):
            return self.predictor(tokens)
        if id(tokens) not in self.answers:
            self.answers[id(tokens)] = self.predictor(tokens)
        return self.answers[id(tokens)]


def remembered(
    predictors: Mapping[str, Predictor], splits: Mapping[str, Tokens]
) -> dict[str, Predictor]:
    """Reference predictors that compute once for each evaluation split."""
    return {name: Remembered(predictor, splits.values()) for name, predictor in predictors.items()}
