"""How tokens are embedded and logits are read out."""

from typing import Literal

from pydantic import Field

from lexurn.settings.fields import Real, Section


class VocabularySettings(Section):
    """Learned embeddings, or random ones that are redrawn for every sequence (`lex`).

    Other vocabularies derive from this class, with a `name` of their own.
    """

    name: Literal["one_hot", "orthonormal", "gaussian_scaled", "gaussian", "original"] = "one_hot"
    lex: bool = Field(
        False, description="lexical invariance: redraw the embedding table for every sequence"
    )
    tied: bool = Field(
        True, description="logits are read out with the table that embeds the tokens"
    )
    readout_bias: bool = Field(
        True, description="a readout that is neither tied nor lexical has a bias"
    )
    logit_scale: Real = Field(1.0, gt=0, description="factor on the logits")

    @property
    def needs_width(self) -> bool:
        """Whether the width of the model bounds how many tokens there may be."""
        return self.lex and self.name in ("one_hot", "orthonormal")

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                not self.readout_bias and (self.tied or self.lex),
                "readout_bias counts only with tied False and lex False, got readout_bias=False "
                f"with tied={self.tied} and lex={self.lex}; leave readout_bias out",
            ),
            (
                not self.lex and self.name != "one_hot",
                f"vocabulary counts only with lex True, got vocabulary={self.name} and lex=False; "
                "add lex True, or leave vocabulary out",
            ),
            (
                self.lex
                and self.name == "original"
                and not (self.tied and self.logit_scale == 1.0),
                "vocabulary=original means N(0, 1) tables, tied True and logit_scale 1.0, got "
                f"tied={self.tied} and logit_scale={self.logit_scale}; use vocabulary gaussian to "
                "change them",
            ),
        ]
