"""What a model is made of: its vocabulary, and a class of settings for each backbone."""

from typing import Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import Real, Section, Whole


class VocabularySettings(Section):
    """How tokens are embedded and logits read out: learned rows, or a random table for every sequence (`lex`)."""

    lex: bool = Field(False, description="lexical invariance: redraw the embedding table for every sequence")
    vocabulary: Literal["one_hot", "orthonormal", "gaussian_scaled", "gaussian", "original"] = Field(
        "one_hot", description="family of the random tables, with lex"
    )
    tied: bool = Field(True, description="logits are read out with the table that embeds the tokens")
    logit_scale: Real = Field(1.0, gt=0, description="factor on the logits")

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
        if self.lex and self.vocabulary == "original" and not (self.tied and self.logit_scale == 1.0):
            raise ValueError(
                "vocabulary=original means N(0, 1) tables, tied True and logit_scale 1.0, "
                f"got tied={self.tied} and logit_scale={self.logit_scale}; use vocabulary gaussian to change them"
            )
        return self


class TransformerSettings(Section):
    """A pre-norm decoder."""

    name: Literal["transformer"] = "transformer"
    d_model: Whole = Field(32, ge=1, description="width of the residual stream")
    n_layers: Whole = Field(1, ge=1, description="blocks")
    n_heads: Whole = Field(2, ge=1, description="attention heads, each of width d_model / n_heads")
    positions: Literal["learned", "rotary", "none"] = Field("learned", description="how a token's place is told")
    dropout: Real = Field(0.0, ge=0, lt=1, description="dropout after attention")

    @model_validator(mode="after")
    def _heads_fit(self) -> "TransformerSettings":
        step = self.n_heads * (2 if self.positions == "rotary" else 1)
        if self.d_model % step:
            below = max(self.d_model // step, 1) * step
            why = "twice n_heads (rotary positions turn pairs)" if step > self.n_heads else "n_heads"
            raise ValueError(
                f"d_model must be a multiple of {why}, got d_model={self.d_model} and n_heads={self.n_heads}; "
                f"use d_model {below} or {below + step}"
            )
        return self
