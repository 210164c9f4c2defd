"""The settings of the transformer."""

from typing import Literal

from pydantic import Field

from lexurn.settings.backbones import BackboneSettings
from lexurn.settings.fields import Real, Whole


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
    norm_eps: Real = Field(
        1e-5, gt=0, le=1, description="ε of LayerNorm and RMSNorm, added to the variance"
    )
    positions: Literal[
        "learned", "rotary", "alibi", "none", "integer", "linear", "log", "sinusoidal"
    ] = Field("learned", description="positional encoding")
    positions_trained: bool = Field(
        True, description="positional encodings that are a table are trained, not fixed"
    )
    positions_norm: Real = Field(
        1.0, gt=0, description="norm of sinusoidal positions; embedded tokens begin with about 1"
    )
    input_scale: Real = Field(
        1.0, gt=0, description="factor on the sum of embeddings and positions"
    )
    input_norm: bool = Field(
        False, description="a norm of the sum of embeddings and positions, before input_scale"
    )
    bos: bool = Field(
        True, description="all rows see the start vector, a BOS; without it, only row 0 does"
    )
    dropout: Real = Field(0.0, ge=0, lt=1, description="dropout after attention")
    mlp_dropout: Real = Field(0.0, ge=0, lt=1, description="dropout after the MLP")
    embedding_dropout: Real = Field(
        0.0, ge=0, lt=1, description="dropout of the sum of embeddings and positions"
    )
    attention_dropout: Real = Field(
        0.0, ge=0, lt=1, description="dropout inside attention, of the attention pattern"
    )
    activation_dropout: Real = Field(
        0.0, ge=0, lt=1, description="dropout inside the MLP, after the activation"
    )

    @property
    def sinusoid_norm(self) -> float:
        return self.positions_norm

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
            *(
                (
                    self.mlp == "none" and getattr(self, name) > 0,
                    f"{name} counts only with an MLP, got {name}={getattr(self, name)} and "
                    "mlp=none; leave it out",
                )
                for name in ("mlp_dropout", "activation_dropout")
            ),
            (
                self.norm == "none" and self.norm_placement != "pre",
                "norm_placement counts only with norms, got norm_placement="
                f"{self.norm_placement} and norm=none; leave norm_placement out, or use norm layer",
            ),
            (
                self.norm == "none" and self.input_norm,
                "input_norm counts only with norms, got input_norm=True and norm=none; leave "
                "input_norm out, or use norm layer",
            ),
            (
                self.norm == "none" and self.norm_eps != 1e-5,
                f"norm_eps counts only with norms, got norm_eps={self.norm_eps} and norm=none; "
                "leave norm_eps out, or use norm layer",
            ),
            (
                self.positions != "sinusoidal" and self.positions_norm != 1,
                "positions_norm counts only with positions sinusoidal, got positions_norm="
                f"{self.positions_norm} and positions={self.positions}; leave positions_norm out",
            ),
            (
                self.norm_placement == "mix" and self.n_layers < 4,
                "n_layers must be 4 or more for norm_placement=mix, post in the first quarter, got "
                f"{self.n_layers}; use n_layers 4, or another norm_placement",
            ),
            (
                self.positions in ("rotary", "alibi", "none", "sinusoidal")
                and not self.positions_trained,
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
