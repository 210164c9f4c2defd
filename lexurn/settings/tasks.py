"""What is sampled: a class of settings for each task."""

from typing import Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import Concentration, Section, Whole


class UrnsSettings(Section):
    """Balls & urns: a pool of urns drawn once, sequences of balls drawn from them."""

    name: Literal["urns"] = "urns"
    n_tasks: Whole = Field(1, ge=0, description="urns in the training pool; 0: a fresh urn for every sequence")
    n_colors: Whole = Field(4, ge=2, description="colours of balls, the vocabulary")
    alpha: Concentration = Field(1.0, description="concentration of the Dirichlet prior: a number, or one per colour")
    context_length: Whole = Field(32, ge=1, description="most balls seen before a prediction")
    label_permuted: bool = Field(False, description="rename the colours of every training sequence at random")

    @model_validator(mode="after")
    def _alpha_fits(self) -> "UrnsSettings":
        if isinstance(self.alpha, tuple) and len(self.alpha) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or n_colors={self.n_colors} numbers, got {len(self.alpha)} of them; "
                "use 1.0 for the uniform prior"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.n_colors
