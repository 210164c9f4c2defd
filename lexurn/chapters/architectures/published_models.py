"""Two published models of rule extrapolation (Mészáros et al. 2024, arXiv 2409.13728), corrected.

`PositionPairs` is one linear map from all embeddings of a string to all its logits, with a weight
matrix for each pair of positions: p(x_t | …) = softmax(b_t + Σ_s W_{t,s} e(x_{s−1})), x_{−1} = SOS.
The published model sums over all s and therefore sees, at s = t + 1, the token that it predicts.
With `is_causal`, the sum is over s ≤ t.

`BatchPositions` is a backbone with sinusoidal positions along the batch, as published. No row knows
its own position, and the prediction for a string depends on its place in the batch.
"""

import torch
from torch import Generator, nn

from lexurn.base.shapes import Hidden, LogProbs, Table, Tokens
from lexurn.generators.strings import PAD, SOS, force_padding, mask_special_tokens
from lexurn.models.language_model import sinusoids


class PositionPairs(nn.Module):
    """A predictor of strings of at most `n_rows` tokens that is trained like a language model."""

    NO_WEIGHT_DECAY = ("bias",)

    def __init__(
        self,
        vocab_size: int,
        *,
        n_rows: int,
        is_causal: bool,
        generator: Generator,
        d_model: int = 128,
    ):
        super().__init__()
        self.n_rows = n_rows
        self.embedding = nn.Parameter(
            torch.randn(vocab_size, d_model, generator=generator) / d_model**0.5
        )
        weight = torch.randn(n_rows, vocab_size, n_rows, d_model, generator=generator) / n_rows**0.5
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_rows, vocab_size))
        mask = torch.ones(n_rows, n_rows)
        mask = mask.tril() if is_causal else mask
        self.register_buffer("mask", mask[:, None, :, None], persistent=False)

    def forward(
        self, tokens: Tokens, *, generator: Generator | None = None, table: Table | None = None
    ) -> LogProbs:
        """Return the log-probabilities of strings, which are padded to `n_rows` tokens."""
        n = tokens.shape[1]
        if n > self.n_rows:
            raise ValueError(
                f"strings must have at most n_rows={self.n_rows} tokens with EOS and PAD, got {n}; "
                "raise n_rows"
            )
        before = tokens.new_full((len(tokens), self.n_rows + 1), PAD)
        before[:, 0] = SOS
        before[:, 1 : n + 1] = tokens
        x = self.embedding[before[:, :-1]]  # batch rows d_model
        logits = torch.einsum("bsd,tvsd->btv", x, self.weight * self.mask) + self.bias
        return force_padding(mask_special_tokens(logits[:, :n]).log_softmax(-1), tokens)

    @property
    def device(self) -> torch.device:
        return self.bias.device

    @property
    def backbone(self) -> "PositionPairs":
        """Return the model itself, which is all backbone and vocabulary."""
        return self

    vocabulary = backbone
    is_random = False


class BatchPositions(nn.Module):
    """A backbone whose input has sinusoidal positions of each sequence in the batch."""

    NO_WEIGHT_DECAY = ()

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Hidden) -> Hidden:
        """Return the output of the backbone; all rows of a sequence share a position vector."""
        return self.backbone(x + sinusoids(len(x), x.shape[-1]).to(x)[:, None])
