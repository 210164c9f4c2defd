"""Settings of one run, nested by their owner and flat for users (pydantic only, no torch).

    task        what is sampled                      UrnsSettings
    vocabulary  how tokens are read and written      VocabularySettings
    backbone    what computes in between             TransformerSettings
    training    how the weights are found            TrainingSettings
    machine     where it runs; not in the key        MachineSettings
    study       how much a chapter averages over     StudySettings; not in the key

Every field has one flat name over all owners, so `Settings.from_flat({"lex": True, "n_steps": 200})` and
`settings.flat()` are inverse to each other. `settings.key` hashes everything that changes the mathematics.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

TRAINING_VERSION = 1
"""Raised whenever equal settings no longer give the numbers that they gave: the golden test watches over it."""


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _list_from_text(value: Any) -> Any:
    """`-p alpha '[1, 2, 1, 1]'` arrives as text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _positive(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    if min(value if isinstance(value, tuple) else (value,), default=0) <= 0:
        raise ValueError("must be positive")
    return value


Whole = Annotated[int, BeforeValidator(_no_boolean)]
Real = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Concentration = Annotated[Real | tuple[Real, ...], BeforeValidator(_list_from_text), AfterValidator(_positive)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UrnsSettings(_Section):
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


class VocabularySettings(_Section):
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


class TransformerSettings(_Section):
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


class TrainingSettings(_Section):
    """Data, optimizer, schedule and evaluation."""

    n_steps: Whole = Field(1000, ge=1, description="optimizer updates; follows from the data where they are finite")
    n_train_samples: Whole = Field(0, ge=0, description="training sequences; 0: an endless stream of new ones")
    n_epochs: Whole = Field(1, ge=1, description="visits to a finite training set (counts only there)")
    batch_size: Whole = Field(32, ge=1, description="sequences per step")
    learning_rate: Real = Field(3e-3, gt=0, description="peak learning rate of AdamW")
    warmup: Whole = Field(50, ge=0, description="steps of linear warm-up")
    schedule: Literal["constant", "cosine", "inverse_sqrt"] = Field("constant", description="after the warm-up")
    weight_decay: Real = Field(0.01, ge=0, description="decoupled weight decay, on matrices only")
    grad_clip: Real = Field(1.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    n_test_samples: Whole = Field(500, ge=2, description="held-out sequences per split")
    eval_every: Whole = Field(100, ge=1, description="steps between evaluations")
    patience: Whole = Field(0, ge=0, description="evaluations without a better validation loss that end it; 0: none")
    min_delta: Real = Field(0.0, ge=0, description="how much lower a validation loss must be to count as better")
    seed: Whole = Field(0, ge=0, le=2**63 - 1, description="the one seed that every random stream is derived from")

    @model_validator(mode="after")
    def _patience_is_asked_for(self) -> "TrainingSettings":
        if self.min_delta and not self.patience:
            raise ValueError(
                f"min_delta counts only with patience, got min_delta={self.min_delta} and patience=0; "
                "set patience, for example 10"
            )
        return self

    @model_validator(mode="after")
    def _steps_follow_from_finite_data(self) -> "TrainingSettings":
        """With finite data `n_steps` is what `n_epochs` come to; with endless data it stands alone."""
        if self.n_train_samples == 0:
            if self.n_epochs != 1:
                raise ValueError(
                    f"n_epochs counts only for a finite training set, got n_epochs={self.n_epochs} with "
                    "n_train_samples=0; leave n_epochs out, or set n_train_samples"
                )
            return self
        visits = self.n_train_samples * self.n_epochs
        n_steps = visits // self.batch_size
        if n_steps == 0:
            raise ValueError(
                f"batch_size must be at most n_train_samples x n_epochs = {visits}, got {self.batch_size}; "
                "use a smaller batch_size or more n_epochs"
            )
        if "n_steps" in self.model_fields_set and self.n_steps != n_steps:
            raise ValueError(
                f"n_steps counts only for endless data, got n_steps={self.n_steps} with "
                f"n_train_samples={self.n_train_samples} (n_epochs={self.n_epochs} are {n_steps} steps); "
                "leave n_steps out, or set n_train_samples 0"
            )
        self.__dict__["n_steps"] = n_steps
        return self


class MachineSettings(_Section):
    """Where and how a run is computed. Nothing here changes the mathematics, so nothing here is in the key."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto: cuda, else mps, else cpu")
    threads: Whole = Field(1, ge=1, description="CPU threads")
    tracker: Literal["files", "wandb"] = Field("files", description="where metrics go beside the run's folder")


class StudySettings(_Section):
    """How much a chapter averages over. No single run depends on it, so nothing here is in the key."""

    n_pools: Whole = Field(24, ge=2, description="pools that exact figures are averaged over")
    n_seeds: Whole = Field(1, ge=1, description="seeds, each with a pool of its own, that models are trained with")


class Settings(_Section):
    """One run. Frozen; equal settings have equal keys."""

    task: UrnsSettings = UrnsSettings()
    vocabulary: VocabularySettings = VocabularySettings()
    backbone: TransformerSettings = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    machine: MachineSettings = MachineSettings()
    study: StudySettings = StudySettings()

    @model_validator(mode="after")
    def _tables_fit(self) -> "Settings":
        family, size = self.vocabulary.vocabulary, self.task.vocab_size
        if self.vocabulary.lex and family in ("one_hot", "orthonormal") and size > self.backbone.d_model:
            raise ValueError(
                f"d_model must be at least n_colors={size} for {family} tables, got {self.backbone.d_model}; "
                f"use d_model {size} or more, or vocabulary gaussian_scaled"
            )
        return self

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings from flat names; raises KeyError for an unknown name, pydantic.ValidationError for a bad value."""
        nested: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            nested.setdefault(FLAT[name], {})[name] = value
        return cls.model_validate(nested)

    def flat(self) -> dict[str, Any]:
        """Every flat name with its value, ready for YAML; `from_flat` takes it back."""
        nested = self.model_dump(mode="json")
        return {name: nested[owner][name] for name, owner in FLAT.items()}

    def changed(self) -> dict[str, Any]:
        """The flat values that differ from the defaults and that are needed to say this run again."""
        values, defaults = self.flat(), Settings().flat()
        values = {name: value for name, value in values.items() if FLAT[name] != "study"}
        if self.training.n_train_samples:
            del values["n_steps"]  # follows from the data
        return {name: value for name, value in values.items() if value != defaults[name]}

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits of everything that changes the mathematics, with TRAINING_VERSION."""
        values = self.model_dump(mode="json", exclude={"machine", "study"})
        if not self.task.label_permuted:
            del values["task"]["label_permuted"]
        if not self.training.patience:
            del values["training"]["patience"], values["training"]["min_delta"]  # nothing stops early
        text = json.dumps({"version": TRAINING_VERSION, **values}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def kind(self) -> str:
        """`normal`, `lexical`, or `permuted`: learned embeddings, trained on sequences with renamed colours."""
        if self.vocabulary.lex:
            return "lexical"
        return "permuted" if self.task.label_permuted else "normal"

    def of_kind(self, kind: str, *, seed: int | None = None) -> "Settings":
        """These settings as `normal`, `lexical` or `permuted`, with all else equal, and perhaps another seed."""
        if kind not in ("normal", "lexical", "permuted"):
            raise ValueError(f"kind must be normal, lexical or permuted, got {kind}")
        changes = {"lex": kind == "lexical", "label_permuted": kind == "permuted"}
        if kind != "lexical":
            changes["vocabulary"] = "one_hot"  # the default: it counts only with lex
        if seed is not None:
            changes["seed"] = seed
        return Settings.from_flat(self.flat() | changes)

    @property
    def memorizing(self) -> str:
        """The memorizing predictor that such a model could become: with names, or without."""
        return "memorizing" if self.kind == "normal" else "symmetrized"

    @property
    def name(self) -> str:
        """The run's folder: what a person looks for first, then the key."""
        task, backbone = self.task, self.backbone
        return (
            f"{task.name}-V{task.n_colors}-D{task.n_tasks}-C{task.context_length}-{self.kind}-"
            f"{backbone.name}-d{backbone.d_model}-L{backbone.n_layers}-s{self.training.seed}-{self.key}"
        )


FLAT: dict[str, str] = {
    field: owner
    for owner, section in Settings.model_fields.items()
    for field in section.annotation.model_fields
    if field != "name"
}
"""Which section owns a flat name."""
