"""The best prediction when tokens have been renamed by an unknown permutation.

Given a predictor p, every renaming π of the permuted tokens has the same prior probability:

    p̄(v | x) = Σ_π w_π p(π(v) | π(x)),      w_π ∝ Π_s p(π(x_s) | π(x_<s))

This is the Bayes optimum of a lexical model, and of a model trained on label-permuted sequences.
For urns it is S, which `lexurn.predictors.symmetrized` computes without all permutations.
"""

from itertools import permutations

import torch
from torch.nn.functional import pad

from lexurn.base.divergences import as_double
from lexurn.base.shapes import LogProbs, Predictor, Tokens

MAX_PERMUTED = 5
"""The largest number of tokens that are permuted: 5! = 120 renamings."""


class RenamingMixture:
    """The Bayes mixture of a predictor over all renamings of the last `n_permuted` tokens.

    The first `n_special` tokens keep their names. Where the predictor gives probability 0 to the
    sequence under every renaming, all renamings have equal weight.
    """

    def __init__(self, predictor: Predictor, *, n_permuted: int, n_special: int = 0):
        if n_permuted > MAX_PERMUTED:
            raise ValueError(
                f"n_permuted must be at most {MAX_PERMUTED}, because all renamings are summed, "
                f"got {n_permuted}; use a smaller vocabulary"
            )
        self.predictor = predictor
        permuted = torch.tensor(list(permutations(range(n_permuted)))) + n_special
        special = torch.arange(n_special).expand(len(permuted), -1)
        self.renamings = torch.cat([special, permuted], 1)  # renamings vocab

    def __call__(self, tokens: Tokens) -> LogProbs:
        log_probs = []
        log_weights = []
        for renaming in self.renamings.to(tokens.device):
            log_probs.append(as_double(self.predictor(renaming[tokens]))[..., renaming])
            token_log_probs = log_probs[-1].gather(-1, tokens[..., None])[:, :-1, 0]
            log_weights.append(pad(token_log_probs.cumsum(-1), (1, 0)))
        log_weights = torch.stack(log_weights)  # renamings batch time
        is_impossible = (log_weights == -torch.inf).all(0)
        log_weights = log_weights.masked_fill(is_impossible, 0.0).log_softmax(0)
        return (torch.stack(log_probs) + log_weights[..., None]).logsumexp(0)
