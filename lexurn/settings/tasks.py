"""What is sampled: a class of settings for each task."""

from typing import Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import Concentration, Positives, Probabilities, Section, Whole


class UrnsSettings(Section):
    """Balls & urns: a pool of urns drawn once, sequences of balls drawn from them. A coin is an urn of two colours."""

    name: Literal["urns"] = "urns"
    n_tasks: Whole = Field(1, ge=0, description="urns in the training pool; 0: a fresh urn for every sequence")
    n_colors: Whole = Field(4, ge=2, description="colours of balls, the vocabulary")
    alpha: Concentration = Field(1.0, description="concentration of the Dirichlet prior: a number, or one per colour")
    context_length: Whole = Field(32, ge=1, description="most balls seen before a prediction")
    label_permuted: bool = Field(False, description="rename the colours of every training sequence at random")
    thetas: Probabilities = Field(
        (), description="the pool as given coins, by their probability of colour 1; []: drawn"
    )
    target_alpha: Positives = Field((), description="prior that losses are weighted to, one per colour; []: none")

    @model_validator(mode="after")
    def _alpha_fits(self) -> "UrnsSettings":
        if isinstance(self.alpha, tuple) and len(self.alpha) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or n_colors={self.n_colors} numbers, got {len(self.alpha)} of them; "
                "use 1.0 for the uniform prior"
            )
        return self

    @model_validator(mode="after")
    def _coins_have_two_sides(self) -> "UrnsSettings":
        if not self.thetas:
            return self
        if self.n_colors != 2:
            raise ValueError(f"thetas are coins, urns of two colours, got n_colors={self.n_colors}; use n_colors 2")
        if "n_tasks" in self.model_fields_set and self.n_tasks != len(self.thetas):
            raise ValueError(
                f"n_tasks follows from thetas, got n_tasks={self.n_tasks} and {len(self.thetas)} of them; "
                "leave n_tasks out"
            )
        self.__dict__["n_tasks"] = len(self.thetas)
        return self

    @model_validator(mode="after")
    def _a_target_is_reached_by_weights(self) -> "UrnsSettings":
        if not self.target_alpha:
            return self
        if len(self.target_alpha) != self.n_colors:
            raise ValueError(
                f"target_alpha must be n_colors={self.n_colors} numbers, got {len(self.target_alpha)} of them; "
                "use for example [1, 8] for two colours"
            )
        if self.n_tasks or self.label_permuted:
            raise ValueError(
                f"target_alpha weighs fresh urns, got n_tasks={self.n_tasks} and label_permuted={self.label_permuted}; "
                "use n_tasks 0 and leave label_permuted out"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.n_colors
