"""Two models of rule extrapolation as they were published (Mészáros et al. 2024, arXiv 2409.13728), and mended.

`PositionPairs` is one linear map from all embeddings of a word to all its logits, a weight for each pair of places:
p(x_t | …) = softmax(b_t + Σ_s W_{t,s} e(x_{s−1})), x_{−1} = SOS. Theirs sums over all s and so sees the very token that
it is to predict, at s = t + 1. `masked`, it sums over s ≤ t.

`AlongTheBatch` is a backbone that is told places by sines, but of the batch, as theirs is: no row knows its own place,
and a word is predicted otherwise in other company.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden, LogProbs, Table, Tokens
from lexurn.generators.strings import PAD, SOS, padded, without_specials
from lexurn.models.language_model import sinusoids


class PositionPairs(nn.Module):
    """A predictor of words (batch time) that is trained like a language model; time is at most `n_rows`."""

    NO_WEIGHT_DECAY = ("bias",)

    def __init__(
        self,
        vocab_size: int,
        *,
        n_rows: int,
        masked: bool,
        generator: Generator,
        d_model: int = 128,
    ):
        super().__init__()
        self.n_rows = n_rows
        self.embedding = nn.Parameter(
            torch.randn(vocab_size, d_model, generator=generator) / d_model**0.5
        )
        weight = torch.randn(n_rows, vocab_size, n_rows, d_model, generator=generator) / n_rows**0.5
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.zeros(n_rows, vocab_size))
        seen = torch.ones(n_rows, n_rows).tril() if masked else torch.ones(n_rows, n_rows)
        self.register_buffer("seen", seen[:, None, :, None], persistent=False)

    def forward(
        self, tokens: Tokens, *, generator: Generator | None = None, table: Table | None = None
    ) -> LogProbs:
        """Where a word is shorter than `n_rows`, what does not stand there yet is PAD."""
        n = tokens.shape[1]
        if n > self.n_rows:
            raise ValueError(
                f"words may have {self.n_rows} tokens with EOS and PAD, got {n}; raise n_rows"
            )
        before = tokens.new_full((len(tokens), self.n_rows + 1), PAD)
        before[:, 0], before[:, 1 : n + 1] = SOS, tokens
        x = self.embedding[before[:, :-1]]  # batch rows d_model
        logits = torch.einsum("bsd,tvsd->btv", x, self.weight * self.seen) + self.bias
        return padded(without_specials(logits[:, :n]).log_softmax(-1), tokens)

    @property
    def device(self) -> torch.device:
        return self.bias.device

    @property
    def backbone(self) -> "PositionPairs":
        """It is nothing else."""
        return self


class AlongTheBatch(nn.Module):
    """A backbone behind sines of a sequence's place in the batch."""

    NO_WEIGHT_DECAY = ()

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Hidden) -> Hidden:
        """All rows of a sequence get the vector of its place."""
        return self.backbone(x + sinusoids(len(x), x.shape[-1]).to(x)[:, None])

    def initial_state(self) -> Any:
        """The state before the first row."""
        return self.backbone.initial_state()

    def step(self, x: Float[Tensor, "batch d_model"], state: Any) -> Float[Tensor, "batch d_model"]:
        """The next row."""
        return self.backbone.step(x + sinusoids(len(x), x.shape[-1]).to(x), state)
