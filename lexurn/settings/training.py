"""How weights are found, where a run is computed, and how much a chapter averages over."""

import re
from typing import Any, Literal

from pydantic import Field

from lexurn.settings.fields import Real, Section, Texts, Whole

MAX_STEPS = 100_000_000


def _steps_of_finite_data(values: dict[str, Any]) -> int:
    """Return the steps that all visits to a finite training set make, or the default."""
    if not values.get("n_train_samples"):
        return 1000
    return values["n_train_samples"] * values.get("n_epochs", 1) // values.get("batch_size", 32)


class TrainingSettings(Section):
    """Data, optimizer, schedule and evaluation."""

    n_train_samples: Whole = Field(
        0,
        ge=0,
        le=1_000_000_000,
        description="training sequences; 0: an endless stream of new ones",
    )
    n_epochs: Whole = Field(
        1, ge=1, le=1_000_000, description="visits to a finite training set (counts only there)"
    )
    batch_size: Whole = Field(32, ge=1, le=1_000_000, description="sequences per step")
    n_steps: Whole = Field(
        default_factory=_steps_of_finite_data,
        ge=1,
        le=MAX_STEPS,
        description="optimizer updates; follows from the data where they are finite",
    )
    optimizer: Literal["adamw", "muon", "sgd"] = Field(
        "adamw",
        description="adamw, sgd (no momentum), or muon (for the backbone's matrices, AdamW for "
        "the rest)",
    )
    learning_rate: Real = Field(1e-2, gt=0, description="peak learning rate")
    warmup: Whole = Field(50, ge=0, le=MAX_STEPS, description="steps of linear warm-up")
    schedule: Literal["constant", "cosine", "inverse_sqrt"] = Field(
        "cosine", description="learning rate after the warm-up"
    )
    weight_decay: Real = Field(0.01, ge=0, description="decoupled weight decay, on matrices only")
    grad_clip: Real = Field(1.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    init_from: str = Field(
        "", description="key of the run whose best weights training starts from; empty: none"
    )
    initial_std: Real = Field(
        0.0,
        ge=0,
        description="std of initial weights (smaller for block outputs); 0: 1/√fan-in",
    )
    trainable: Literal["all", "vocabulary", "outside_backbone"] = Field(
        "all",
        description="weights that are trained: all, vocabulary (and start vector), or "
        "outside_backbone (positions too)",
    )
    n_checkpoints: Whole = Field(
        0,
        ge=0,
        le=10_000,
        description="weights stored along training, evenly spaced in the root of the step",
    )
    n_test_samples: Whole = Field(
        500, ge=2, le=10_000_000, description="held-out sequences per split"
    )
    eval_every: Whole = Field(100, ge=1, le=MAX_STEPS, description="steps between evaluations")
    patience: Whole = Field(
        0,
        ge=0,
        le=1_000_000,
        description="evaluations without a better validation loss before stopping; 0: none",
    )
    min_delta: Real = Field(
        0.0, ge=0, description="decrease of the validation loss that counts as better"
    )
    seed: Whole = Field(
        0, ge=0, le=2**63 - 1, description="the seed that every random stream is derived from"
    )

    def conflicts(self) -> list[tuple[bool, str]]:
        n_steps = self.n_train_samples * self.n_epochs // self.batch_size
        return [
            (
                self.init_from != "" and not re.fullmatch("[0-9a-f]{12}", self.init_from),
                "init_from must be the key of a run, twelve digits of 0-9 a-f, got "
                f"{self.init_from!r}",
            ),
            (
                self.init_from != "" and self.initial_std > 0,
                "initial_std counts only for weights that are drawn, got initial_std="
                f"{self.initial_std} and init_from={self.init_from}; leave one out",
            ),
            (
                self.init_from == "" and self.trainable != "all",
                f"trainable={self.trainable} keeps the other weights, which must be trained "
                "already; set init_from, the key of a run",
            ),
            (
                self.min_delta > 0 and self.patience == 0,
                f"min_delta counts only with patience, got min_delta={self.min_delta} and "
                "patience=0; set patience, for example 10",
            ),
            (
                self.n_train_samples == 0 and self.n_epochs != 1,
                f"n_epochs counts only for a finite training set, got n_epochs={self.n_epochs} "
                "with n_train_samples=0; leave n_epochs out, or set n_train_samples",
            ),
            (
                self.n_train_samples > 0 and n_steps == 0,
                "batch_size must be at most n_train_samples x n_epochs = "
                f"{self.n_train_samples * self.n_epochs}, got {self.batch_size}; use a smaller "
                "batch_size or more n_epochs",
            ),
            (
                n_steps > MAX_STEPS,
                f"n_train_samples x n_epochs / batch_size are {n_steps:,} steps, and at most "
                f"{MAX_STEPS:,} are allowed; lower n_epochs or n_train_samples",
            ),
            (
                self.n_train_samples > 0 and self.n_steps != n_steps,
                f"n_steps counts only for endless data, got n_steps={self.n_steps} with "
                f"n_train_samples={self.n_train_samples} (n_epochs={self.n_epochs} are {n_steps} "
                "steps); leave n_steps out, or set n_train_samples 0",
            ),
        ]


class MachineSettings(Section):
    """Where and how a run is computed. Nothing here changes the mathematics or the key."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto: cuda, else mps, else cpu"
    )
    threads: Whole = Field(1, ge=1, le=1_000, description="CPU threads")
    tracker: Literal["files", "wandb"] = Field(
        "files", description="where metrics go in addition to the run's folder"
    )


class StudySettings(Section):
    """How much a chapter averages over. No single run depends on it, nor does a key."""

    n_pools: Whole = Field(
        24, ge=2, le=1_000_000, description="pools that exact figures are averaged over"
    )
    n_seeds: Whole = Field(
        1, ge=1, le=100_000, description="seeds, each with its own pool, to train with"
    )
    n_urns: Whole = Field(
        5,
        ge=1,
        le=100_000,
        description="training urns of the headline, each with a model of every kind",
    )
    n_longer: Whole = Field(
        1,
        ge=1,
        le=100_000,
        description="training urns on which models are also trained ten times as long",
    )
    n_shapes: Whole = Field(9, ge=1, le=27, description="shapes of a small model to compare")
    n_diversities: Whole = Field(
        3, ge=3, le=8, description="task diversities D of a map, from 1 to 128"
    )
    prompts: Texts = Field((), description="texts whose tokens are compared; []: two of ours")
    jobs: Whole = Field(2, ge=1, le=1_000, description="processes that train side by side")

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                self.n_longer > self.n_urns,
                f"n_longer must be at most n_urns={self.n_urns}, got {self.n_longer}; lower it",
            )
        ]
