"""Two published models of rule extrapolation (Mészáros et al. 2024, arXiv 2409.13728), corrected.

`PositionPairs` is one linear map from all embedded inputs of a string to all its logits, with a
weight matrix for each pair of positions. Input s is token s − 1 (SOS for s = 0), and row t predicts
token t:

    logits_t = b_t + Σ_s mask(t, s) W_{t,s} e(x_{s−1})

`MASKS` names the three masks that the chapter compares. The published model has s ≥ t: row t sees
the token before its target (s = t), the target (s = t + 1) and all that follows, never what came
before. Its batches are padded to their longest string with embeddings of PAD; inputs beyond that
length are zero. A prompt ends at its last token, so that in generation nothing but the last token
and its position is seen.

`BatchPositions` is a backbone with sinusoidal positions along the batch, as published. No row knows
its own position, and the prediction for a string depends on its place in the batch.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden, LogProbs, Table, Tokens
from lexurn.generators.strings import SOS, force_padding, mask_special_tokens, string_lengths
from lexurn.models.language_model import sinusoids

Mask = Float[Tensor, "rows inputs"]

MASKS: dict[str, Callable[[Mask], Mask]] = {
    "as published": torch.triu,
    "no mask": torch.clone,
    "causal": torch.tril,
}
"""What remains of a matrix of ones by row and input: s ≥ t, every s, or s ≤ t."""


class PositionPairs(nn.Module):
    """A predictor of strings of at most `n_rows` tokens that is trained like a language model."""

    NO_WEIGHT_DECAY = ("bias",)

    def __init__(
        self,
        vocab_size: int,
        *,
        n_rows: int,
        mask: str,
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
        self.register_buffer("mask", MASKS[mask](torch.ones(n_rows, n_rows)), persistent=False)

    def forward(
        self, tokens: Tokens, *, generator: Generator | None = None, table: Table | None = None
    ) -> LogProbs:
        """Return the log-probabilities of strings of at most `n_rows` tokens."""
        logits = self.logits(self.embed(tokens))[:, : tokens.shape[1]]
        return force_padding(mask_special_tokens(logits).log_softmax(-1), tokens)

    def embed(self, tokens: Tokens) -> Float[Tensor, "batch inputs d_model"]:
        """Return the `n_rows` embedded inputs, which are zero beyond the longest string.

        A string ends with its EOS. One without an EOS, such as a prompt, has all the tokens given.
        """
        n = tokens.shape[1]
        if n > self.n_rows:
            raise ValueError(
                f"strings must have at most n_rows={self.n_rows} tokens with EOS and PAD, got {n}; "
                "raise n_rows"
            )
        inputs = torch.cat([torch.full_like(tokens[:, :1], SOS), tokens[:, :-1]], 1)
        longest = min(int(string_lengths(tokens).max()) + 1, n)
        x = self.embedding[inputs[:, :longest]]  # batch longest d_model
        return nn.functional.pad(x, (0, 0, 0, self.n_rows - longest))

    def logits(self, x: Float[Tensor, "batch inputs d_model"]) -> Float[Tensor, "batch rows vocab"]:
        """Return the logits of all rows for the embedded inputs (batch inputs d_model)."""
        return torch.einsum("bsd,tvsd,ts->btv", x, self.weight, self.mask) + self.bias

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
