"""Settings of one run, nested by their owner and flat for users (pydantic only, no torch).

    task        what is sampled                                    UrnsSettings          settings/tasks.py
    vocabulary  how tokens are read and written                    VocabularySettings    settings/models.py
    backbone    what computes in between                           TransformerSettings   settings/models.py
    training    how the weights are found                          TrainingSettings      settings/training.py
    machine     where it runs; not in the key                      MachineSettings       settings/training.py
    study       how much a chapter averages over; not in the key   StudySettings         settings/training.py

Every field has one flat name over all owners, so `Settings.from_flat({"lex": True, "n_steps": 200})` and
`settings.flat()` are inverse to each other. `settings.key` hashes everything that changes the mathematics.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import model_validator

from lexurn.settings.fields import Section
from lexurn.settings.models import TransformerSettings, VocabularySettings
from lexurn.settings.tasks import UrnsSettings
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings

__all__ = [
    "FLAT",
    "KINDS",
    "TRAINING_VERSION",
    "MachineSettings",
    "Settings",
    "StudySettings",
    "TrainingSettings",
    "TransformerSettings",
    "UrnsSettings",
    "VocabularySettings",
]

TRAINING_VERSION = 1
"""Raised whenever equal settings no longer give the numbers that they gave: the golden test watches over it."""


LATER = {
    "task": ("label_permuted", "thetas", "target_alpha"),
    "backbone": ("d_head", "mlp", "d_mlp", "norm", "positions_trained", "bos"),
    "training": ("optimizer", "patience", "min_delta", "initial", "trained", "n_checkpoints"),
}
"""Settings that were added since version 1: at their defaults they are not in the key, which older runs have too."""

KINDS = ("normal", "lexical", "permuted")


class Settings(Section):
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

    def changed(self, *, study: bool = False) -> dict[str, Any]:
        """The flat values that differ from the defaults and that are needed to say this run again, or this `study`."""
        values, defaults = self.flat(), Settings().flat()
        values = {name: value for name, value in values.items() if study or FLAT[name] != "study"}
        if self.training.n_train_samples:
            del values["n_steps"]  # follows from the data
        return {name: value for name, value in values.items() if value != defaults[name]}

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits of everything that changes the mathematics, with TRAINING_VERSION."""
        values = self.model_dump(mode="json", exclude={"machine", "study"})
        for section, names in LATER.items():  # what came after the first runs counts only where it is used
            defaults = type(getattr(self, section))().model_dump(mode="json")
            for name in names:
                if values[section][name] == defaults[name]:
                    del values[section][name]
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
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind}")
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
