"""What a model is made of: its vocabulary, and a class of settings for each backbone."""

from math import ceil
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import Real, Section, Whole, Wholes


class VocabularySettings(Section):
    """How tokens are embedded and logits read out: learned rows, or a random table for every sequence (`lex`)."""

    lex: bool = Field(
        False, description="lexical invariance: redraw the embedding table for every sequence"
    )
    vocabulary: Literal["one_hot", "orthonormal", "gaussian_scaled", "gaussian", "original"] = (
        Field("one_hot", description="family of the random tables, with lex")
    )
    tied: bool = Field(
        True, description="logits are read out with the table that embeds the tokens"
    )
    readout_bias: bool = Field(
        True, description="a read-out that is not tied, and not lexical, has a bias"
    )
    logit_scale: Real = Field(1.0, gt=0, description="factor on the logits")

    @model_validator(mode="after")
    def _biases_are_of_read_outs(self) -> "VocabularySettings":
        if not self.readout_bias and (self.tied or self.lex):
            raise ValueError(
                "readout_bias counts only with tied False and lex False, got readout_bias=False with "
                f"tied={self.tied} and lex={self.lex}; leave readout_bias out"
            )
        return self

    @model_validator(mode="after")
    def _tables_are_lexical(self) -> "VocabularySettings":
        if not self.lex and self.vocabulary != "one_hot":
            raise ValueError(
                f"vocabulary counts only with lex True, got vocabulary={self.vocabulary} and lex=False; "
                "add lex True, or leave vocabulary out"
            )
        return self

    @model_validator(mode="after")
    def _original_is_one_setting(self) -> "VocabularySettings":
        if (
            self.lex
            and self.vocabulary == "original"
            and not (self.tied and self.logit_scale == 1.0)
        ):
            raise ValueError(
                "vocabulary=original means N(0, 1) tables, tied True and logit_scale 1.0, "
                f"got tied={self.tied} and logit_scale={self.logit_scale}; use vocabulary gaussian to change them"
            )
        return self


class BackboneSettings(Section):
    """What backbones have in common. Positions are told to those that ask for them."""

    d_model: Whole = Field(32, ge=1, description="width of embedded tokens and between layers")
    n_layers: Whole = Field(1, ge=1, description="blocks, or recurrent layers")

    @property
    def d_out(self) -> int:
        """The width of what it gives: that of its input, unless it says otherwise."""
        return self.d_model


class TransformerSettings(BackboneSettings):
    """A decoder: with norms before or after its sums, or without any."""

    name: Literal["transformer"] = "transformer"
    n_heads: Whole = Field(2, ge=1, description="attention heads, each of width d_model / n_heads")
    d_head: Whole = Field(0, ge=0, description="width of a head; 0: d_model / n_heads")
    mlp: Literal["gated", "swiglu", "gelu", "relu", "none"] = Field(
        "gated",
        description="gated (by GELU), swiglu (by SiLU), gelu, relu, or none: attention only",
    )
    d_mlp: Whole = Field(0, ge=0, description="width of the MLP; 0: four times d_model")
    norm: Literal["layer", "rms", "none"] = Field(
        "layer", description="LayerNorm (layer), RMSNorm (rms), or none"
    )
    norm_placement: Literal["pre", "post", "peri", "mix"] = Field(
        "pre",
        description="pre: of inputs; post: of sums; peri: of inputs and outputs; mix: a quarter post, then pre",
    )
    positions: Literal["learned", "rotary", "none", "integer", "linear", "log", "sinusoidal"] = (
        Field("learned", description="how a token's place is told")
    )
    positions_trained: bool = Field(
        True, description="positions that are a table are trained, not fixed"
    )
    bos: bool = Field(
        True, description="all rows see the start vector, a BOS; without, row 0 alone"
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
        """Where the norms of every block stand: pre, post, or peri."""
        if self.norm_placement != "mix":
            return (self.norm_placement,) * self.n_layers
        n_post = self.n_layers // 4
        return ("post",) * n_post + ("pre",) * (self.n_layers - n_post)

    @model_validator(mode="after")
    def _widths_count(self) -> "TransformerSettings":
        if self.mlp == "none" and self.d_mlp:
            raise ValueError(
                f"d_mlp counts only with an MLP, got d_mlp={self.d_mlp} and mlp=none; leave d_mlp out"
            )
        if self.mlp == "none" and self.mlp_dropout:
            raise ValueError(
                f"mlp_dropout counts only with an MLP, got mlp_dropout={self.mlp_dropout} and mlp=none; leave it out"
            )
        if self.norm == "none" and self.norm_placement != "pre":
            raise ValueError(
                f"norm_placement counts only with norms, got norm_placement={self.norm_placement} and norm=none; "
                "leave norm_placement out, or use norm layer"
            )
        if self.norm_placement == "mix" and self.n_layers < 4:
            raise ValueError(
                f"n_layers must be 4 or more for norm_placement=mix, post in the first quarter, got {self.n_layers}; "
                "use n_layers 4, or another norm_placement"
            )
        if self.positions in ("rotary", "none", "sinusoidal") and not self.positions_trained:
            raise ValueError(
                f"positions_trained counts only for positions that are a table, got positions={self.positions}; "
                "leave positions_trained out, or use positions learned, integer, linear or log"
            )
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> "TransformerSettings":
        if self.d_head:
            if self.positions == "rotary" and self.d_head % 2:
                raise ValueError(
                    f"d_head must be even with rotary positions, which turn pairs, got {self.d_head}; "
                    f"use d_head {self.d_head + 1}"
                )
            return self
        step = self.n_heads * (2 if self.positions == "rotary" else 1)
        if self.d_model % step:
            below = max(self.d_model // step, 1) * step
            why = (
                "twice n_heads (rotary positions turn pairs)" if step > self.n_heads else "n_heads"
            )
            raise ValueError(
                f"d_model must be a multiple of {why}, got d_model={self.d_model} and n_heads={self.n_heads}; "
                f"use d_model {below} or {below + step}"
            )
        return self


class WithoutPositions(BackboneSettings):
    """Backbones that need not be told places, and that always see the start vector."""

    positions: ClassVar[str] = "none"
    positions_trained: ClassVar[bool] = False
    bos: ClassVar[bool] = True


class LSTMSettings(WithoutPositions):
    """A stack of LSTM layers (Hochreiter & Schmidhuber 1997)."""

    name: Literal["lstm"] = "lstm"
    d_hidden: Whole = Field(
        0, ge=0, description="width of the recurrent state, and of what is read out; 0: d_model"
    )

    @property
    def d_out(self) -> int:
        return self.d_hidden or self.d_model


class MambaSettings(WithoutPositions):
    """Selective state spaces (Gu & Dao 2023)."""

    name: Literal["mamba"] = "mamba"
    d_state: Whole = Field(16, ge=1, description="numbers that each channel remembers")
    d_conv: Whole = Field(4, ge=1, description="rows that the convolution before reaches over")
    expand: Whole = Field(2, ge=1, description="channels, in times d_model")
    dt_rank: Whole = Field(
        0, ge=0, description="rank of the map to the steps Δ; 0: a sixteenth of d_model"
    )

    @property
    def inner(self) -> int:
        return self.expand * self.d_model

    @property
    def step_rank(self) -> int:
        return self.dt_rank or ceil(self.d_model / 16)


class XLSTMSettings(WithoutPositions):
    """Blocks of mLSTM and sLSTM cells (Beck et al. 2024)."""

    BLOCK: ClassVar[int] = 4
    """Queries, keys and values are mapped within blocks of so many channels."""

    name: Literal["xlstm"] = "xlstm"
    n_heads: Whole = Field(2, ge=1, description="heads, of equal width")
    d_conv: Whole = Field(4, ge=1, description="rows that the convolution before reaches over")
    slstm_at: Wholes = Field(
        (), description="blocks, counted from 0, that are sLSTM; the others are mLSTM"
    )

    @property
    def inner(self) -> int:
        """The width within mLSTM blocks: twice d_model, up to the next multiple of 64."""
        return 64 * ceil(2 * self.d_model / 64)

    @property
    def mlp_width(self) -> int:
        """Of the MLP behind sLSTM: 1.3 times d_model, up to the next multiple of 64."""
        return 64 * ceil(1.3 * self.d_model / 64)

    @model_validator(mode="after")
    def _blocks_are_there(self) -> "XLSTMSettings":
        foreign = [block for block in self.slstm_at if not 0 <= block < self.n_layers]
        if foreign:
            more = f", or n_layers {max(foreign) + 1}" if min(foreign) >= 0 else ""
            raise ValueError(
                f"slstm_at must name blocks from 0 to n_layers - 1 = {self.n_layers - 1}, got {foreign[0]}; "
                f"use another{more}"
            )
        if list(self.slstm_at) != sorted(set(self.slstm_at)):
            raise ValueError(
                f"slstm_at must name each block once, in their order, got {list(self.slstm_at)}; "
                f"use {sorted(set(self.slstm_at))}"
            )
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> "XLSTMSettings":
        widths = (
            {"the inner width of mLSTM": self.inner} if len(self.slstm_at) < self.n_layers else {}
        )
        widths |= {"d_model": self.d_model} if self.slstm_at else {}
        for what, width in widths.items():
            if (
                width % self.n_heads or width < 2 * self.n_heads
            ):  # a head of one channel is normed to nothing
                fitting = [
                    n for n in range(1, width // 2 + 1) if all(w % n == 0 for w in widths.values())
                ] or [1]
                nearest = min(fitting, key=lambda n: abs(n - self.n_heads))
                raise ValueError(
                    f"{what} must be a multiple of n_heads, two channels a head or more, got {width} and "
                    f"n_heads={self.n_heads}; use n_heads {nearest}"
                )
        return self


class LinearSettings(WithoutPositions):
    """Maps without anything between them that is not linear; what is kept of a row depends on places alone."""

    name: Literal["linear"] = "linear"
