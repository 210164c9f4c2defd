"""A decoder: attention, then an MLP, each added to what flows. Norms are LayerNorm, RMSNorm, or none, and stand

    pre     x + f(norm x)          with a norm behind the last block
    post    norm(x + f x)          without (Vaswani et al. 2017)
    peri    x + norm'(f(norm x))   with it (Kim et al. 2025, arXiv 2502.02732)
    mix     post in the first quarter of the blocks, pre in the others (Li et al. 2024, arXiv 2412.13795)

Causal by `scaled_dot_product_attention(is_causal=True)`. Step by step, keys and values of the rows before are kept in a
`Cache`, one for each layer, and a step is its query against them. A gated MLP is down(σ(up x) · gate x), without biases
(σ is GELU, or SiLU: SwiGLU, Shazeer 2020); a plain one down(σ(up x)), with them (ReLU or GELU). Row 0 is the start
vector and row i + 1 is token i, whose rotary position is i (the start vector is not turned); without a BOS the rows of
the tokens come alone.

What flows is named: a `Place` below is where `lexurn.chapters.coins.activations` reads and writes.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, relu, scaled_dot_product_attention, silu

from lexurn.base.shapes import Hidden
from lexurn.models.hooks import Place
from lexurn.settings import TransformerSettings

Map = Callable[[Tensor], Tensor]

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "layer": nn.LayerNorm,
    "rms": lambda width: nn.RMSNorm(width, eps=1e-5),
    "none": nn.Identity,
}


class Cache:
    """Keys and values (batch heads rows d_head) of the rows seen so far."""

    def __init__(self):
        self.k: Tensor | None = None
        self.v: Tensor | None = None

    @property
    def n_rows(self) -> int:
        return 0 if self.k is None else self.k.shape[2]

    def add(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All of them, with those of a new row."""
        self.k = k if self.k is None else torch.cat([self.k, k], 2)
        self.v = v if self.v is None else torch.cat([self.v, v], 2)
        return self.k, self.v


class Attention(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        self.n_heads = settings.n_heads
        width = settings.n_heads * settings.head_width
        self.qkv = nn.Linear(settings.d_model, 3 * width)
        self.out = nn.Linear(width, settings.d_model)
        self.rotary = settings.positions == "rotary"
        self.first_token = 1 if settings.bos else 0  # its row
        names = ("attn.q", "attn.k", "attn.v", "attn.pattern", "attn.z")
        self.q, self.k, self.v, self.pattern, self.z = map(Place, names)

    def forward(self, x: Hidden, cache: Cache | None = None) -> Hidden:
        """All rows at once; or with a cache one row, the next."""
        q, k, v = (
            self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).unbind(2)
        )  # batch time heads d_head
        q, k, v = (
            each.transpose(1, 2) for each in (self.q(q), self.k(k), self.v(v))
        )  # batch heads time d_head
        if self.rotary:
            first = self.first_token - (0 if cache is None else cache.n_rows)
            q, k = rotate(q, first=first), rotate(k, first=first)
        if cache is not None:
            z = scaled_dot_product_attention(q, *cache.add(k, v))
        elif self.pattern.is_watched:
            z = self.pattern(attention_pattern(q, k)) @ v
        else:
            z = scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(self.z(z.transpose(1, 2)).flatten(2))


class GatedMLP(nn.Module):
    def __init__(self, d_model: int, d_mlp: int, activation: Map):
        super().__init__()
        self.activation = activation
        self.up = nn.Linear(d_model, d_mlp, bias=False)
        self.gate = nn.Linear(d_model, d_mlp, bias=False)
        self.down = nn.Linear(d_mlp, d_model, bias=False)
        self.pre, self.post = Place("mlp.pre"), Place("mlp.post")

    def forward(self, x: Hidden) -> Hidden:
        return self.down(self.post(self.activation(self.pre(self.up(x))) * self.gate(x)))


class PlainMLP(nn.Module):
    def __init__(self, d_model: int, d_mlp: int, activation: Map):
        super().__init__()
        self.activation = activation
        self.up = nn.Linear(d_model, d_mlp)
        self.down = nn.Linear(d_mlp, d_model)
        self.pre, self.post = Place("mlp.pre"), Place("mlp.post")

    def forward(self, x: Hidden) -> Hidden:
        return self.down(self.post(self.activation(self.pre(self.up(x)))))


MLPS = {
    "gated": (GatedMLP, gelu),
    "swiglu": (GatedMLP, silu),
    "relu": (PlainMLP, relu),
    "gelu": (PlainMLP, gelu),
}


def pre(x: Hidden, f: Map, norm: Map, out_norm: Map) -> Hidden:
    return x + f(norm(x))


def post(x: Hidden, f: Map, norm: Map, out_norm: Map) -> Hidden:
    return norm(x + f(x))


def peri(x: Hidden, f: Map, norm: Map, out_norm: Map) -> Hidden:
    return x + out_norm(f(norm(x)))


SUMS = {"pre": pre, "post": post, "peri": peri}


class Block(nn.Module):
    def __init__(self, settings: TransformerSettings, placement: str):
        super().__init__()
        self.sum = SUMS[placement]
        out_norm = norm if placement == "peri" else lambda settings: nn.Identity()
        self.resid_pre = Place("resid_pre")
        self.attention_norm, self.attention_out_norm = norm(settings), out_norm(settings)
        self.attention = Attention(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.resid_mid = Place("resid_mid")
        self.has_mlp = settings.mlp != "none"
        if self.has_mlp:
            self.mlp_norm, self.mlp_out_norm = norm(settings), out_norm(settings)
            kind, activation = MLPS[settings.mlp]
            self.mlp = kind(settings.d_model, settings.mlp_width, activation)
            self.mlp_dropout = nn.Dropout(settings.mlp_dropout)
        self.resid_post = Place("resid_post")

    def forward(self, x: Hidden, cache: Cache | None = None) -> Hidden:
        def attend(x: Hidden) -> Hidden:
            return self.dropout(self.attention(x, cache))

        x = self.sum(self.resid_pre(x), attend, self.attention_norm, self.attention_out_norm)
        x = self.resid_mid(x)
        if self.has_mlp:
            x = self.sum(
                x, lambda x: self.mlp_dropout(self.mlp(x)), self.mlp_norm, self.mlp_out_norm
            )
        return self.resid_post(x)


class Transformer(nn.Module):
    """Hidden vectors (batch time d_model) to the same; row t depends on rows 0 … t.

    `step` gives the next row alone, from the state that `begin` and the steps before have left.
    """

    RESIDUAL = ("attention.out.weight", "mlp.down.weight")
    """Weights that write into the residual stream: their initial scale shrinks with depth."""

    PLAIN, INITIAL = (), {}

    def __init__(self, settings: TransformerSettings, *, n_rows: int | None = None):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(settings, each) for each in settings.placements))
        self.norm = nn.Identity() if settings.placements[-1] == "post" else norm(settings)

    def forward(self, x: Hidden) -> Hidden:
        return self.norm(self.blocks(x))

    def begin(self) -> list[Cache]:
        """The state before the first row."""
        return [Cache() for _ in self.blocks]

    def step(
        self, x: Float[Tensor, "batch d_model"], state: list[Cache]
    ) -> Float[Tensor, "batch d_model"]:
        """The next row; the state goes on to it."""
        x = x[:, None]
        for block, cache in zip(self.blocks, state, strict=True):
            x = block(x, cache)
        return self.norm(x)[:, 0]


def norm(settings: TransformerSettings) -> nn.Module:
    """One of the norms that are asked for."""
    return NORMS[settings.norm](settings.d_model)


def attention_pattern(
    q: Float[Tensor, "batch heads time d_head"], k: Float[Tensor, "batch heads time d_head"]
) -> Float[Tensor, "batch heads time time"]:
    """What `scaled_dot_product_attention` does not return: how much each row takes from each before it."""
    scores = q @ k.mT / q.shape[-1] ** 0.5
    future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1)


def rotate(
    x: Float[Tensor, "batch heads time d_head"], *, first: int = 1
) -> Float[Tensor, "batch heads time d_head"]:
    """Rotary positions: turn each pair (x_j, x_{j + d/2}) by position / 10000^{2j/d} (Su et al. 2021).

    Row `first` is that of token 0; a start vector before it is not turned.
    """
    half = x.shape[-1] // 2
    positions = (torch.arange(x.shape[-2], device=x.device) - first).clamp_min(0)
    frequencies = 10_000 ** -(torch.arange(half, device=x.device) / half)
    angles = positions[:, None] * frequencies  # time half
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first_half, second_half = x.chunk(2, -1)
    return torch.cat(
        [first_half * cos - second_half * sin, first_half * sin + second_half * cos], -1
    )
