"""Predictors made of other predictors: averages, mixtures, and caches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import log

import torch
from jaxtyping import Float

from lexurn.base.divergences import as_double
from lexurn.base.shapes import LogProbs, Predictor, Tokens

MAX_PERMUTED = 5  # tokens that are permuted at most: 5! = 120 renamings


@dataclass(frozen=True)
class Average:
    """The mean of several predictors' probabilities, for example of one lexical model under several
    embedding tables.

    `predict_each` returns the prediction of every single predictor.
    """

    predict_each: Callable[[Tokens], Float[torch.Tensor, "predictors batch time vocab"]]

    def __call__(self, tokens: Tokens) -> LogProbs:
        return mean_prediction(self.predict_each(tokens))


@dataclass(frozen=True)
class PerSequencePredictor:
    """A predictor that differs from sequence to sequence of a split, for example a lexical model
    with one embedding table per sequence.

    `predict` takes tokens (batch time) and the number of their first sequence in the split.
    """

    predict: Callable[[Tokens, int], LogProbs]

    def __call__(self, tokens: Tokens, start: int = 0) -> LogProbs:
        return self.predict(tokens, start)


def mean_prediction(log_probs: Float[torch.Tensor, "predictors batch time vocab"]) -> LogProbs:
    """Return the log of the mean probability."""
    return log_probs.logsumexp(0) - log(len(log_probs))


class RenamingMixture:
    """The best prediction when tokens have been renamed by an unknown permutation.

    Given a predictor p, every renaming π of the last `n_permuted` tokens has the same prior
    probability; the first `n_special` tokens keep their names:

        p̄(v | x) = Σ_π w_π p(π(v) | π(x)),      w_π ∝ Π_s p(π(x_s) | π(x_<s))

    This is the Bayes optimum of a lexical model, and of a model trained on label-permuted
    sequences. For urns it is S, which `Symmetrized` computes without all permutations. Where the
    predictor gives probability 0 to the sequence under every renaming, all renamings have equal
    weight.
    """

    def __init__(self, predictor: Predictor, *, n_permuted: int, n_special: int = 0):
        if n_permuted > MAX_PERMUTED:
            raise ValueError(
                f"n_permuted must be at most {MAX_PERMUTED}, because all renamings are summed, "
                f"got {n_permuted}; use a smaller vocabulary"
            )
        self.predictor = predictor
        orders = permutations(range(n_special, n_special + n_permuted))
        self.renamings = torch.tensor(  # renamings vocab
            [[*range(n_special), *order] for order in orders]
        )

    def __call__(self, tokens: Tokens) -> LogProbs:
        log_probs = []
        log_weights = []
        for renaming in self.renamings.to(tokens.device):
            log_probs.append(as_double(self.predictor(renaming[tokens]))[..., renaming])
            log_weights.append(log_evidence(log_probs[-1], tokens))
        log_weights = torch.stack(log_weights)  # renamings batch time
        is_impossible = (log_weights == -torch.inf).all(0)
        log_weights = log_weights.masked_fill(is_impossible, 0.0).log_softmax(0)
        return (torch.stack(log_probs) + log_weights[..., None]).logsumexp(0)


class SequenceMixture:
    """The Bayes mixture of whole sequences: a sequence comes from one predictor to its end.

        p(v | x) = Σ_i w_i(x) p_i(v | x),      w_i(x) ∝ w_i Π_s p_i(x_s | x_<s)

    With the weights (1 − ε, ε) of a memorizing predictor and G it memorizes with doubt: ε is the
    prior probability that a sequence comes from a new urn. If sequences do come from the first
    predictor, its total regret is at most −ln(1 − ε).
    """

    def __init__(self, predictors: Sequence[Predictor], weights: Sequence[float]):
        if len(predictors) != len(weights) or min(weights) < 0 or not sum(weights) > 0:
            raise ValueError(
                f"a mixture needs one weight of 0 or more per predictor, got {list(weights)} for "
                f"{len(predictors)} predictors"
            )
        self.predictors = tuple(predictors)
        self.log_weights = (torch.tensor(weights, dtype=torch.float64) / sum(weights)).log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        log_probs = torch.stack([as_double(each(tokens)) for each in self.predictors])
        evidence = torch.stack([log_evidence(each, tokens) for each in log_probs])
        return mix_sequences(log_probs, self.log_weights.to(log_probs.device), evidence)


def mix_sequences(
    log_probs: Float[torch.Tensor, "predictors batch time vocab"],
    log_weights: Float[torch.Tensor, "predictors"],
    evidence: Float[torch.Tensor, "predictors batch time"],
) -> LogProbs:
    """Return the mixture of whole sequences from predictions, prior log-weights and `log_evidence`.

    Weights need not add up to 1.
    """
    posterior = (log_weights[:, None, None] + evidence).log_softmax(0)  # predictors batch time
    return (log_probs + posterior[..., None]).logsumexp(0)


def log_evidence(log_probs: LogProbs, tokens: Tokens) -> Float[torch.Tensor, "batch time"]:
    """Return ln Π_{s<t} p(x_s | x_<s) at every row t; 0 in row 0."""
    token_log_probs = log_probs.gather(-1, tokens[..., None])[:, :-1, 0]
    return torch.nn.functional.pad(token_log_probs.cumsum(-1), (1, 0))


def cache_predictions(
    predictors: Mapping[str, Predictor], splits: Mapping[str, Tokens]
) -> dict[str, Predictor]:
    """Return the predictors with their predictions cached for each evaluation split."""
    return {
        name: cache_prediction(predictor, splits.values()) for name, predictor in predictors.items()
    }


def cache_prediction(predictor: Predictor, sequences: Iterable[Tokens]) -> Predictor:
    """Return a predictor that computes its prediction once for each of the given tensors.

    Of an average, the predictions of its members are cached. The tensors must not be changed in
    place, and a model must not be trained in the meantime. Any other tensor, also a slice of one of
    them, is computed anew every time.
    """
    if isinstance(predictor, Average):
        return Average(cache_prediction(predictor.predict_each, sequences))
    known = list(sequences)
    predict_once = cache(predictor)  # tensors are equal keys if they are one object
    return lambda tokens: (
        predict_once(tokens) if any(tokens is each for each in known) else predictor(tokens)
    )
