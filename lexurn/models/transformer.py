"""A pre-norm decoder: x + attention(norm x), then x + mlp(norm x), and a last norm.

Causal by `scaled_dot_product_attention(is_causal=True)`; the gated MLP is down(gelu(up x) · gate x), four times as wide
as the stream. Row 0 is the start vector; row i + 1 is token i, whose rotary position is i (the start vector is not
turned).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from lexurn.settings import TransformerSettings
from lexurn.shapes import Hidden


class Attention(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        self.n_heads = settings.n_heads
        self.qkv = nn.Linear(settings.d_model, 3 * settings.d_model)
        self.out = nn.Linear(settings.d_model, settings.d_model)
        self.rotary = settings.positions == "rotary"

    def forward(self, x: Hidden) -> Hidden:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)  # batch heads time d_head
        if self.rotary:
            q, k = rotate(q), rotate(k)
        z = scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(z.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        d_mlp = 4 * settings.d_model
        self.up = nn.Linear(settings.d_model, d_mlp, bias=False)
        self.gate = nn.Linear(settings.d_model, d_mlp, bias=False)
        self.down = nn.Linear(d_mlp, settings.d_model, bias=False)

    def forward(self, x: Hidden) -> Hidden:
        return self.down(gelu(self.up(x)) * self.gate(x))


class Block(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        self.attention_norm = nn.LayerNorm(settings.d_model)
        self.attention = Attention(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.mlp_norm = nn.LayerNorm(settings.d_model)
        self.mlp = GatedMLP(settings)

    def forward(self, x: Hidden) -> Hidden:
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.mlp(self.mlp_norm(x))


class Transformer(nn.Module):
    """Hidden vectors (batch time d_model) to the same; row t depends on rows 0 … t."""

    RESIDUAL = ("attention.out.weight", "mlp.down.weight")
    """Weights that write into the residual stream: their initial scale shrinks with depth."""

    def __init__(self, settings: TransformerSettings):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(settings) for _ in range(settings.n_layers)))
        self.norm = nn.LayerNorm(settings.d_model)

    def forward(self, x: Hidden) -> Hidden:
        return self.norm(self.blocks(x))


def rotate(x: Float[Tensor, "batch heads time d_head"]) -> Float[Tensor, "batch heads time d_head"]:
    """Rotary positions: turn each pair (x_j, x_{j + d/2}) by position / 10000^{2j/d} (Su et al. 2021)."""
    half = x.shape[-1] // 2
    positions = (torch.arange(x.shape[-2], device=x.device) - 1).clamp_min(0)
    frequencies = 10_000 ** -(torch.arange(half, device=x.device) / half)
    angles = positions[:, None] * frequencies  # time half
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
