"""The settings of one run, nested by their owner and flat for users."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from pydantic import SerializeAsAny, field_validator, model_validator

from lexurn.base.errors import ParameterError
from lexurn.settings.backbones import BackboneSettings, TransformerSettings
from lexurn.settings.fields import Section, default_of
from lexurn.settings.key import key_of
from lexurn.settings.registry import (
    CHOICES,
    FIXED,
    entries,
    flat_names,
    settings_class,
    settings_classes,
)
from lexurn.settings.renamed import upgrade_stored
from lexurn.settings.tasks import TaskSettings, UrnsSettings
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings
from lexurn.settings.vocabulary import VocabularySettings

KINDS = ("normal", "lexical", "permuted")


class Settings(Section):
    """One run. Frozen; equal settings have equal keys."""

    task: SerializeAsAny[TaskSettings] = UrnsSettings()
    vocabulary: SerializeAsAny[VocabularySettings] = VocabularySettings()
    backbone: SerializeAsAny[BackboneSettings] = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    machine: MachineSettings = MachineSettings()
    study: StudySettings = StudySettings()

    @field_validator(*CHOICES, mode="before")
    @classmethod
    def _choose_registered_class(cls, value: Any, info: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        name = value.get("name") or next(iter(entries(info.field_name)))
        return settings_class(info.field_name, name).model_validate(value)

    @model_validator(mode="after")
    def _vocabulary_fits(self) -> "Settings":
        if self.task.vocab_size is not None:  # else it is checked when the task is built
            self.require_width(self.task.vocab_size - self.task.n_special)
        return self

    @model_validator(mode="after")
    def _readout_fits(self) -> "Settings":
        backbone = self.backbone
        if self.vocabulary.tied and backbone.d_out != backbone.d_model:
            raise ValueError(
                f"d_hidden must be d_model={backbone.d_model} where the table that embeds tokens "
                f"reads out too, got {backbone.d_out}; use tied False, or leave d_hidden out"
            )
        return self

    def require_width(self, n_symbols: int) -> None:
        """Raise ParameterError unless so many tokens have room in random tables of this width."""
        if self.vocabulary.needs_width and n_symbols > self.backbone.d_model:
            raise ParameterError(
                f"d_model must be at least {self.task.describe_symbols(n_symbols)} for "
                f"{self.vocabulary.name} tables, got {self.backbone.d_model}; use d_model "
                f"{n_symbols} or more, or vocabulary gaussian_scaled"
            )

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> "Settings":
        """Return settings from flat names and values.

        Raises KeyError for an unknown name, ValueError for values that do not go together, and
        pydantic.ValidationError (a ValueError) for a value that one setting does not allow.
        """
        nested: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            section = flat_names()[name]
            nested.setdefault(section, {})["name" if name in CHOICES else name] = value
        parts = {}
        for section, given in nested.items():
            settings = _fitting_class(section, given) if section in CHOICES else FIXED[section]
            parts[section] = settings.model_validate(given)
        return cls(**parts)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Settings":
        """Return the settings that a `settings.json` holds, also one with names of former times."""
        return cls.model_validate(upgrade_stored(json.loads(text)))

    def flat(self) -> dict[str, Any]:
        """Return every flat name that counts here with its value, which `from_flat` takes back."""
        flat = {}
        for section in (*CHOICES, *FIXED):
            values = getattr(self, section).model_dump(mode="json")
            if section in CHOICES:
                flat[section] = values.pop("name")
            flat |= values
        return flat

    def replace(self, **changes: Any) -> "Settings":
        """Return these settings with some flat names changed, checked like any others."""
        flat = self.flat() | changes
        if self.training.n_train_samples and "n_steps" not in changes:
            del flat["n_steps"]  # it follows from the data
        return Settings.from_flat(flat)

    def changed(self, *, study: bool = False) -> dict[str, Any]:
        """Return the flat values that are needed to name this run, or this `study`, again."""
        defaults: dict[str, Any] = {}
        for section in (*CHOICES, *FIXED):
            if section in CHOICES:
                defaults[section] = next(iter(entries(section)))
            for name, field in type(getattr(self, section)).model_fields.items():
                defaults.setdefault(name, default_of(field))
        unsaid = {"n_steps"} if self.training.n_train_samples else set()  # it follows from the data
        unsaid |= {"n_tasks"} if self.flat().get("thetas") else set()
        if not study:
            unsaid |= set(StudySettings.model_fields)
        as_json = {name: list(v) if isinstance(v, tuple) else v for name, v in defaults.items()}
        return {
            name: value
            for name, value in self.flat().items()
            if name not in unsaid and value != as_json[name]
        }

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits of everything that changes the mathematics."""
        return key_of({name: getattr(self, name) for name in (*CHOICES, "training")})

    @property
    def kind(self) -> str:
        """`normal`, `lexical`, or `permuted`: learned embeddings, trained on renamed sequences."""
        if self.vocabulary.lex:
            return "lexical"
        return "permuted" if self.task.label_permuted else "normal"

    def of_kind(self, kind: str, *, seed: int | None = None) -> "Settings":
        """Return these settings as `normal`, `lexical` or `permuted`, perhaps with another seed."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind}")
        return self.replace(**flat_of_kind(kind), **({} if seed is None else {"seed": seed}))

    @property
    def memorizing(self) -> str:
        """The name of the memorizing predictor that such a model could become."""
        return "memorizing" if self.kind == "normal" else "symmetrized"

    @property
    def name(self) -> str:
        """The name of the run's folder: what a person looks for first, then the key."""
        backbone = self.backbone
        model = f"{self.kind}-{backbone.name}-d{backbone.d_model}-L{backbone.n_layers}"
        return f"{self.task.label}-{model}-s{self.training.seed}-{self.key}"


def flat_of_kind(kind: str) -> dict[str, Any]:
    """Return the flat settings that make a run `normal`, `lexical` or `permuted`."""
    flat: dict[str, Any] = {"lex": kind == "lexical", "label_permuted": kind == "permuted"}
    if kind != "lexical":
        flat["vocabulary"] = VocabularySettings().name
    return flat


def _fitting_class(section: str, given: Mapping[str, Any]) -> type[Section]:
    """Return the class that is named, or else the first one that has all the names given."""
    if "name" not in given:
        for settings in settings_classes(section):
            if given.keys() <= settings.model_fields.keys():
                return settings
        first, second = _names_apart(section, given)
        raise ValueError(f"{first} and {second} do not go together; keep one of the two")
    settings = settings_class(section, given["name"])
    for name in given:
        if name not in settings.model_fields:
            owners = " or ".join(_owner_names(section, name))
            raise ValueError(
                f"{name} is a setting of {section}={owners}, got {section}={given['name']}; leave "
                f"{name} out, or use {section} {owners}"
            )
    return settings


def _owner_names(section: str, field: str) -> list[str]:
    """Return the names of the classes of a section that have a field."""
    return [
        name for name, entry in entries(section).items() if field in entry.settings.model_fields
    ]


def _names_apart(section: str, given: Iterable[str]) -> tuple[str, str]:
    """Return two of the names given that no class has both of, with the classes that have them."""
    owners = {name: _owner_names(section, name) for name in given}
    for first, first_owners in owners.items():
        for second, second_owners in owners.items():
            if not set(first_owners) & set(second_owners):
                return (
                    f"{first} (of {' or '.join(sorted(first_owners))})",
                    f"{second} (of {' or '.join(sorted(second_owners))})",
                )
    raise AssertionError(f"{section}: some class has all of {list(given)}")
