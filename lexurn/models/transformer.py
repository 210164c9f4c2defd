"""A decoder-only transformer: attention, then an MLP, each added to the residual stream.

Norms are LayerNorm, RMSNorm or none, and `norm_placement` says where they stand:

    pre     x + f(norm x)          with a norm after the last block
    post    norm(x + f x)          without it (Vaswani et al. 2017)
    peri    x + norm'(f(norm x))   with it (Kim et al. 2025, arXiv 2502.02732)
    mix     post in the first quarter of the blocks, pre in the others (Li et al. 2024,
            arXiv 2412.13795)

A gated MLP is down(σ(up x) · gate x) without biases, where σ is GELU or SiLU (SwiGLU, Shazeer
2020). A plain MLP is down(σ(up x)) with biases, where σ is ReLU or GELU. Attention is causal by
`scaled_dot_product_attention(is_causal=True)`. Row by row, the state of a block keeps the keys `k`
and values `v` (batch heads rows d_head) so far, and the new row's query attends to them.

Row 0 is the start vector and row i + 1 is token i. Rotary embeddings and ALiBi give token i the
position i, and the start vector position 0. Without a BOS, the rows of the tokens come without the
start vector.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, relu, scaled_dot_product_attention, silu

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import HookPoint, Stack, State, append_rows
from lexurn.settings import TransformerSettings

Map = Callable[[Tensor], Tensor]
Heads = Float[Tensor, "batch heads time d_head"]

NORMS: dict[str, Callable[[int, float], nn.Module]] = {
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
    "none": nn.Identity,
}

GATED_ACTIVATIONS = {"gated": gelu, "swiglu": silu}
ACTIVATIONS = {"relu": relu, "gelu": gelu, **GATED_ACTIVATIONS}


class Attention(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        self.n_heads = settings.n_heads
        width = settings.n_heads * settings.head_width
        self.qkv = nn.Linear(settings.d_model, 3 * width)
        self.out = nn.Linear(width, settings.d_model)
        self.dropout = settings.attention_dropout
        self.is_rotary = settings.positions == "rotary"
        self.has_alibi = settings.positions == "alibi"
        self.first_token_row = 1 if settings.bos else 0
        names = ("attn.q", "attn.k", "attn.v", "attn.pattern", "attn.z")
        self.q, self.k, self.v, self.pattern, self.z = map(HookPoint, names)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.n_heads, -1)).unbind(2)
        q = self.q(q).transpose(1, 2)  # batch heads time d_head
        k = append_rows(state, "k", self.k(k).transpose(1, 2), axis=2)
        v = append_rows(state, "v", self.v(v).transpose(1, 2), axis=2)
        if self.is_rotary:
            n_earlier = k.shape[2] - q.shape[2]
            q = rotate(q, first_token_row=self.first_token_row - n_earlier)
            k = rotate(k, first_token_row=self.first_token_row)
        bias = None
        if self.has_alibi:
            bias = alibi(q, n_rows=k.shape[2], first_token_row=self.first_token_row)
        if state is None and self.pattern.has_hooks:  # the fused attention does not return it
            scores = q @ k.mT / q.shape[-1] ** 0.5  # batch heads time time
            scores = scores if bias is None else scores + bias
            future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
            pattern = self.pattern(scores.masked_fill(future, -torch.inf).softmax(-1))
            z = dropout(pattern, self.dropout, self.training) @ v
        else:
            z = scaled_dot_product_attention(
                *(q, k, v),
                attn_mask=bias,
                dropout_p=self.dropout if self.training else 0.0,
                is_causal=state is None and bias is None,
            )
        return self.out(self.z(z.transpose(1, 2)).flatten(2))


class MLP(nn.Module):
    def __init__(self, settings: TransformerSettings):
        super().__init__()
        is_gated = settings.mlp in GATED_ACTIVATIONS
        self.activation = ACTIVATIONS[settings.mlp]
        self.dropout = nn.Dropout(settings.activation_dropout)
        self.up = nn.Linear(settings.d_model, settings.mlp_width, bias=not is_gated)
        self.gate = (
            nn.Linear(settings.d_model, settings.mlp_width, bias=False) if is_gated else None
        )
        self.down = nn.Linear(settings.mlp_width, settings.d_model, bias=not is_gated)
        self.pre = HookPoint("mlp.pre")
        self.post = HookPoint("mlp.post")

    def forward(self, x: Hidden) -> Hidden:
        hidden = self.activation(self.pre(self.up(x)))
        if self.gate is not None:
            hidden = hidden * self.gate(x)
        return self.down(self.dropout(self.post(hidden)))


class Block(nn.Module):
    def __init__(self, settings: TransformerSettings, placement: str):
        super().__init__()
        self.placement = placement
        norm = partial(NORMS[settings.norm], settings.d_model, settings.norm_eps)
        out_norm = norm if placement == "peri" else nn.Identity
        self.resid_pre = HookPoint("resid_pre")
        self.attention_norm = norm()
        self.attention_out_norm = out_norm()
        self.attention = Attention(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.resid_mid = HookPoint("resid_mid")
        self.has_mlp = settings.mlp != "none"
        if self.has_mlp:
            self.mlp_norm = norm()
            self.mlp_out_norm = out_norm()
            self.mlp = MLP(settings)
            self.mlp_dropout = nn.Dropout(settings.mlp_dropout)
        self.resid_post = HookPoint("resid_post")

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        x = self.residual_sum(
            self.resid_pre(x),
            lambda x: self.dropout(self.attention(x, state)),
            self.attention_norm,
            self.attention_out_norm,
        )
        x = self.resid_mid(x)
        if self.has_mlp:
            x = self.residual_sum(
                x, lambda x: self.mlp_dropout(self.mlp(x)), self.mlp_norm, self.mlp_out_norm
            )
        return self.resid_post(x)

    def residual_sum(self, x: Hidden, f: Map, norm: Map, out_norm: Map) -> Hidden:
        """Return x + f(x), with norms by the placement; `out_norm` is the identity unless peri."""
        if self.placement == "post":
            return norm(x + f(x))
        return x + out_norm(f(norm(x)))


class Transformer(Stack):
    """A stack of transformer blocks and, unless it is post-norm, a last norm.

    With `input_norm`, a norm stands in front of the first block as well.
    """

    RESIDUAL_WRITERS = ("attention.out.weight", "mlp.down.weight")

    def __init__(self, settings: TransformerSettings, *, n_rows: int | None = None):
        super().__init__()
        placements = settings.placements
        self.blocks = nn.Sequential(*(Block(settings, placement) for placement in placements))
        last_norm = "none" if placements[-1] == "post" else settings.norm
        self.norm = NORMS[last_norm](settings.d_model, settings.norm_eps)
        first_norm = settings.norm if settings.input_norm else "none"
        self.input_norm = NORMS[first_norm](settings.d_model, settings.norm_eps)
        self.input_scale = settings.input_scale
        self.dropout = settings.embedding_dropout

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        x = self.input_scale * self.input_norm(x)
        return super().forward(dropout(x, self.dropout, self.training), state)


def token_positions(
    n_rows: int, *, first_token_row: int, device: torch.device
) -> Int64[Tensor, "rows"]:
    """Return the position of each row: i for token i, and 0 for a start vector in front of them."""
    return (torch.arange(n_rows, device=device) - first_token_row).clamp_min(0)


def alibi(q: Heads, *, n_rows: int, first_token_row: int) -> Float[Tensor, "1 heads time rows"]:
    """Return what ALiBi (Press et al. 2022, arXiv 2108.12409) adds to the scores of all `n_rows`
    keys, for the last queries: −2^(−8h/H) times the distance, for the heads h = 1 … H.

    The score of a later row is −∞.
    """
    n_heads, n_queries = q.shape[1:3]
    rows = torch.arange(n_rows, device=q.device)
    positions = token_positions(n_rows, first_token_row=first_token_row, device=q.device)
    distances = positions[-n_queries:, None] - positions  # time rows
    slopes = 2.0 ** (-8 * torch.arange(1, n_heads + 1, device=q.device) / n_heads)
    biases = -slopes[:, None, None] * distances  # heads time rows
    return biases.masked_fill(rows > rows[-n_queries:, None], -torch.inf).to(q.dtype)[None]


def rotate(x: Heads, *, first_token_row: int = 1) -> Heads:
    """Return rotary embeddings (Su et al. 2021): pair (x_j, x_{j + d/2}) is rotated by
    position / 10000^{2j/d}.

    `first_token_row` is the row of token 0; a start vector in front of it is not rotated.
    """
    half = x.shape[-1] // 2
    positions = token_positions(x.shape[-2], first_token_row=first_token_row, device=x.device)
    frequencies = 10_000 ** -(torch.arange(half, device=x.device) / half)
    angles = positions[:, None] * frequencies  # time half
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first_half, second_half = x.chunk(2, -1)
    return torch.cat(
        [first_half * cos - second_half * sin, first_half * sin + second_half * cos], -1
    )
