"""What computes between the embeddings and the logits: a class of settings for each backbone.

The settings of the transformer are in `lexurn.settings.transformer`.
"""

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

    @property
    def sinusoid_norm(self) -> float:
        """The norm of sinusoidal positions, at every position."""
        return 1.0


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

    output_dropout: Real = Field(0.0, ge=0, lt=1, description="dropout of the last layer's output")

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
