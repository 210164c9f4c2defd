"""What is best to predict where the words' tokens have been renamed, by a permutation that nobody tells.

Given a predictor p, every renaming π of its word tokens is equally probable beforehand:

    p̄(v | x) = Σ_π w_π p(π(v) | π(x)),      w_π ∝ Π_s p(π(x_s) | π(x_<s))

The Bayes optimum of a lexical model, and of one with label-permuted sequences. For urns it is S, which
`lexurn.predictors.symmetrized` finds without going through all permutations.
"""

from itertools import permutations

import torch
from torch.nn.functional import pad

from lexurn.base.divergences import as_double
from lexurn.base.shapes import LogProbs, Predictor, Tokens

MOST_WORDS = 5
"""Tokens that are renamed in all ways: 5! = 120."""


class Relabelled:
    """The mixture over renamings of the last `n_words` tokens; the `n_special` before them keep their names.

    Where no renaming makes sense of what was seen, all are alike.
    """

    def __init__(self, predictor: Predictor, *, n_words: int, n_special: int = 0):
        if n_words > MOST_WORDS:
            raise ValueError(f"at most {MOST_WORDS} tokens are renamed in all ways, got {n_words}")
        self.predictor = predictor
        words = torch.tensor(list(permutations(range(n_words)))) + n_special
        self.renamings = torch.cat(
            [torch.arange(n_special).expand(len(words), -1), words], 1
        )  # renamings vocab

    def __call__(self, tokens: Tokens) -> LogProbs:
        answers, weights = [], []
        for new in self.renamings.to(tokens.device):
            log_probs = as_double(self.predictor(new[tokens]))[..., new]
            answers.append(log_probs)
            chosen = log_probs.gather(-1, tokens[..., None])[:, :-1, 0]
            weights.append(pad(chosen.cumsum(-1), (1, 0)))
        weights = torch.stack(weights)  # renamings batch time
        lost = (weights == -torch.inf).all(0)
        weights = torch.where(lost, 0.0, weights).log_softmax(0)
        return (torch.stack(answers) + weights[..., None]).logsumexp(0)
