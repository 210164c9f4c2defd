"""What computes between the embeddings and the logits: a class of settings for each backbone."""

from math import ceil, gcd
from typing import ClassVar, Literal

from pydantic import Field

from lexurn.settings.fields import Real, Section, Whole, Wholes


class BackboneSettings(Section):
    """What every backbone has: a name, a width and a number of layers.

    Other backbones derive from `PositionFreeSettings`, or from this class if they have fields
    `positions`, `positions_trained` and `bos`, with a `name` of their own.
    """

    name: str
    d_model: Whole = Field(
        32, ge=1, le=65_536, description="width of embedded tokens and between layers"
    )
    n_layers: Whole = Field(1, ge=1, le=128, description="blocks, or recurrent layers")

    @property
    def d_out(self) -> int:
        """The width of the output."""
        return self.d_model


class TransformerSettings(BackboneSettings):
    """A causal transformer, with norms before or after its sums, or without norms."""

    name: Literal["transformer"] = "transformer"
    n_heads: Whole = Field(
        2, ge=1, le=65_536, description="attention heads, each of width d_model / n_heads"
    )
    d_head: Whole = Field(0, ge=0, le=65_536, description="width of a head; 0: d_model / n_heads")
    mlp: Literal["gated", "swiglu", "gelu", "relu", "none"] = Field(
        "gated",
        description="gated (by GELU), swiglu (by SiLU), gelu, relu, or none: attention only",
    )
    d_mlp: Whole = Field(0, ge=0, le=262_144, description="width of the MLP; 0: four times d_model")
    norm: Literal["layer", "rms", "none"] = Field(
        "layer", description="LayerNorm (layer), RMSNorm (rms), or none"
    )
    norm_placement: Literal["pre", "post", "peri", "mix"] = Field(
        "pre",
        description="norm of: pre (input), post (sum), peri (input and output), mix "
        "(a quarter post, then pre)",
    )
    positions: Literal["learned", "rotary", "none", "integer", "linear", "log", "sinusoidal"] = (
        Field("learned", description="positional encoding")
    )
    positions_trained: bool = Field(
        True, description="positional encodings that are a table are trained, not fixed"
    )
    bos: bool = Field(
        True, description="all rows see the start vector, a BOS; without it, only row 0 does"
    )
    dropout: Real = Field(0.0, ge=0, lt=1, description="dropout after attention")
    mlp_dropout: Real = Field(0.0, ge=0, lt=1, description="dropout after the MLP")

    @property
    def head_width(self) -> int:
        return self.d_head or self.d_model // self.n_heads

    @property
    def mlp_width(self) -> int:
        return self.d_mlp or 4 * self.d_model

    @property
    def placements(self) -> tuple[str, ...]:
        """The norm placement of each block: pre, post, or peri."""
        if self.norm_placement != "mix":
            return (self.norm_placement,) * self.n_layers
        n_post = self.n_layers // 4
        return ("post",) * n_post + ("pre",) * (self.n_layers - n_post)

    def conflicts(self) -> list[tuple[bool, str]]:
        is_rotary = self.positions == "rotary"
        step = self.n_heads * (2 if is_rotary else 1)
        divisor = "twice n_heads (rotary positions rotate pairs)" if is_rotary else "n_heads"
        below = max(self.d_model // step, 1) * step
        return [
            (
                self.mlp == "none" and self.d_mlp > 0,
                f"d_mlp counts only with an MLP, got d_mlp={self.d_mlp} and mlp=none; "
                "leave d_mlp out",
            ),
            (
                self.mlp == "none" and self.mlp_dropout > 0,
                f"mlp_dropout counts only with an MLP, got mlp_dropout={self.mlp_dropout} and "
                "mlp=none; leave it out",
            ),
            (
                self.norm == "none" and self.norm_placement != "pre",
                "norm_placement counts only with norms, got norm_placement="
                f"{self.norm_placement} and norm=none; leave norm_placement out, or use norm layer",
            ),
            (
                self.norm_placement == "mix" and self.n_layers < 4,
                "n_layers must be 4 or more for norm_placement=mix, post in the first quarter, got "
                f"{self.n_layers}; use n_layers 4, or another norm_placement",
            ),
            (
                self.positions in ("rotary", "none", "sinusoidal") and not self.positions_trained,
                "positions_trained counts only for positions that are a table, got positions="
                f"{self.positions}; leave positions_trained out, or use positions learned, "
                "integer, linear or log",
            ),
            (
                is_rotary and self.d_head % 2 == 1,
                "d_head must be even with rotary positions, which rotate pairs, got "
                f"{self.d_head}; use d_head {self.d_head + 1}",
            ),
            (
                self.d_head == 0 and self.d_model % step > 0,
                f"d_model must be a multiple of {divisor}, got d_model={self.d_model} and "
                f"n_heads={self.n_heads}; use d_model {below} or {below + step}",
            ),
        ]


class PositionFreeSettings(BackboneSettings):
    """A backbone without positional encoding that always sees the start vector."""

    positions: ClassVar[str] = "none"
    positions_trained: ClassVar[bool] = False
    bos: ClassVar[bool] = True


class LSTMSettings(PositionFreeSettings):
    """A stack of LSTM layers (Hochreiter & Schmidhuber 1997)."""

    name: Literal["lstm"] = "lstm"
    d_hidden: Whole = Field(
        0, ge=0, le=65_536, description="width of the recurrent state and of the output; 0: d_model"
    )

    @property
    def d_out(self) -> int:
        return self.d_hidden or self.d_model


class MambaSettings(PositionFreeSettings):
    """Selective state spaces (Gu & Dao 2023)."""

    name: Literal["mamba"] = "mamba"
    d_state: Whole = Field(16, ge=1, le=65_536, description="SSM state size")
    d_conv: Whole = Field(4, ge=1, le=65_536, description="convolution kernel size")
    expand: Whole = Field(
        2, ge=1, le=1_000, description="channels of a block, as a multiple of d_model"
    )
    dt_rank: Whole = Field(
        0,
        ge=0,
        le=65_536,
        description="rank of the projection to the step sizes Δ; 0: a sixteenth of d_model",
    )

    @property
    def inner(self) -> int:
        return self.expand * self.d_model

    @property
    def step_rank(self) -> int:
        return self.dt_rank or ceil(self.d_model / 16)


class XLSTMSettings(PositionFreeSettings):
    """Blocks of mLSTM and sLSTM cells (Beck et al. 2024)."""

    BLOCK: ClassVar[int] = 4
    """Channels of a block within which queries, keys and values are projected."""

    name: Literal["xlstm"] = "xlstm"
    n_heads: Whole = Field(
        2, ge=1, le=65_536, description="attention heads, each of width d_model / n_heads"
    )
    d_conv: Whole = Field(4, ge=1, le=65_536, description="convolution kernel size")
    slstm_at: Wholes = Field(
        (), description="indices of the blocks that are sLSTM; the others are mLSTM"
    )

    @property
    def inner(self) -> int:
        """The width within mLSTM blocks: twice d_model, rounded up to a multiple of 64."""
        return 64 * ceil(2 * self.d_model / 64)

    @property
    def mlp_width(self) -> int:
        """The width of the MLP after sLSTM: 1.3 d_model, rounded up to a multiple of 64."""
        return 64 * ceil(1.3 * self.d_model / 64)

    def conflicts(self) -> list[tuple[bool, str]]:
        blocks = sorted(set(self.slstm_at))
        foreign = [block for block in self.slstm_at if not 0 <= block < self.n_layers]
        more = f", or n_layers {max(foreign) + 1}" if foreign and min(foreign) >= 0 else ""
        widths = {"the inner width of mLSTM": self.inner} if len(blocks) < self.n_layers else {}
        widths |= {"d_model": self.d_model} if blocks else {}
        # the norm of a head of one channel would leave nothing of it
        most = min(widths.values()) // 2
        divisors = [n for n in range(1, most + 1) if gcd(*widths.values()) % n == 0] or [1]
        nearest = min(divisors, key=lambda n: abs(n - self.n_heads))
        return [
            (
                len(foreign) > 0,
                f"slstm_at must name blocks from 0 to n_layers - 1 = {self.n_layers - 1}, got "
                f"{min(foreign, default=None)}; use another{more}",
            ),
            (
                list(self.slstm_at) != blocks,
                f"slstm_at must name each block once, in their order, got {list(self.slstm_at)}; "
                f"use {blocks}",
            ),
            *(
                (
                    width % self.n_heads > 0 or width < 2 * self.n_heads,
                    f"{what} must be a multiple of n_heads, with two channels per head or more, "
                    f"got {width} and n_heads={self.n_heads}; use n_heads {nearest}",
                )
                for what, width in widths.items()
            ),
        ]


class LinearSettings(PositionFreeSettings):
    """Linear maps with nothing nonlinear between them; their weights depend on positions alone."""

    name: Literal["linear"] = "linear"


class BagSettings(PositionFreeSettings):
    """A bag of embeddings: their mean so far, and an MLP on it. The order of tokens is lost."""

    name: Literal["bag"] = "bag"
    d_mlp: Whole = Field(0, ge=0, le=262_144, description="width of the MLP; 0: four times d_model")

    @property
    def mlp_width(self) -> int:
        return self.d_mlp or 4 * self.d_model


class EquivariantSettings(BagSettings):
    """The same small network for every channel, fed with that channel's sum and the sorted sums.

    With one-hot tables a channel is a name and its sum is a count.
    """

    name: Literal["equivariant"] = "equivariant"
