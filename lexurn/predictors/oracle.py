"""What the oracles of all formal languages share: from the law of letters to a predictor.

The oracles of the languages are in `lexurn.predictors.grammars`.
"""

import torch
from jaxtyping import Float64
from torch.nn.functional import pad

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER, Letters, force_padding, to_letters

Probs = Float64[torch.Tensor, "batch rows choices"]
"""Probabilities, up to a factor per row, of each letter and of EOS (last); rows = letters + 1."""


class Oracle:
    """A predictor made from the law of letters and EOS, which a subclass gives in `law`.

    Rows in which `law` is zero follow a prefix of no string.
    """

    def __init__(self, name: str, max_length: int):
        self.language = LANGUAGES[name]
        self.language.check_length(max_length)
        self.max_length = max_length
        self.n_letters = len(self.language.letters)

    def law(self, letters: Letters) -> Probs:
        raise NotImplementedError

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.language.vocab_size)
        letters = to_letters(tokens[:, :-1], n_letters=self.n_letters)
        probs = self.law(letters)
        totals = probs.sum(-1, keepdim=True)
        is_foreign = pad((letters < 0).cumsum(-1) > 0, (1, 0))[..., None]
        is_impossible = is_foreign | ~(totals > 0)
        probs = torch.where(is_impossible, 1 / (self.n_letters + 1), probs / totals)
        log_probs = torch.full(
            (*tokens.shape, self.language.vocab_size), -torch.inf, dtype=torch.float64
        )
        log_probs[..., [*range(FIRST_LETTER, self.language.vocab_size), EOS]] = probs.log()
        return force_padding(log_probs, tokens)
