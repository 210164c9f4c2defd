"""Predictors made of other predictors: an average, and a cache of predictions."""

from collections.abc import Iterable, Mapping, Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.base.divergences import as_double
from lexurn.base.shapes import LogProbs, Predictor, Tokens


class Average:
    """The mean of several predictors' probabilities, for example of one lexical model under several
    embedding tables."""

    def __init__(self, predictors: Sequence[Predictor]):
        if not predictors:
            raise ValueError("an average needs at least one predictor, got none; pass one or more")
        self.predictors = tuple(predictors)

    def __call__(self, tokens: Tokens) -> LogProbs:
        return mean_prediction(self.predict_each(tokens))

    def predict_each(self, tokens: Tokens) -> Float[Tensor, "predictors batch time vocab"]:
        """Return the prediction of every single predictor."""
        return torch.stack([as_double(predictor(tokens)) for predictor in self.predictors])


def mean_prediction(log_probs: Float[Tensor, "predictors batch time vocab"]) -> LogProbs:
    """Return the log of the mean probability."""
    return log_probs.logsumexp(0) - log(len(log_probs))


class CachedPredictor:
    """A predictor that computes its prediction once for each of the given tensors.

    The tensors must not be changed in place. Any other tensor, also a slice of one of them, is
    computed anew every time.
    """

    def __init__(self, predictor: Predictor, sequences: Iterable[Tokens]):
        self.predictor = predictor
        self.sequences = list(sequences)
        self.predictions: dict[int, LogProbs] = {}

    def __call__(self, tokens: Tokens) -> LogProbs:
        if not any(tokens is known for known in self.sequences):
            return self.predictor(tokens)
        if id(tokens) not in self.predictions:
            self.predictions[id(tokens)] = self.predictor(tokens)
        return self.predictions[id(tokens)]


def cache_predictions(
    predictors: Mapping[str, Predictor], splits: Mapping[str, Tokens]
) -> dict[str, Predictor]:
    """Return the predictors with their predictions cached for each evaluation split."""
    return {
        name: CachedPredictor(predictor, splits.values()) for name, predictor in predictors.items()
    }
