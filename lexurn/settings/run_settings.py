"""The settings of one run, nested by their owner and flat for users."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import SerializeAsAny, ValidationError, field_validator, model_validator

from lexurn.base import files
from lexurn.base.errors import ParameterError
from lexurn.settings.backbones import BackboneSettings
from lexurn.settings.fields import Section, default_of, key_default_of
from lexurn.settings.names import RENAMED, error_message
from lexurn.settings.registry import (
    CHOICES,
    FIXED,
    UNAVAILABLE,
    entries,
    flat_names,
    settings_classes,
)
from lexurn.settings.tasks import TaskSettings, UrnsSettings
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings
from lexurn.settings.transformer import TransformerSettings
from lexurn.settings.vocabulary import VocabularySettings

TRAINING_VERSION = 1
"""Raised when equal settings no longer give equal numbers; the golden test watches over it."""

KINDS = {
    "normal": {"lex": False, "label_permuted": False, "vocabulary": "one_hot"},
    "lexical": {"lex": True, "label_permuted": False},
    "permuted": {"lex": False, "label_permuted": True, "vocabulary": "one_hot"},
}
"""The flat settings that make a run of each kind."""


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
        return _settings_class(info.field_name, name).model_validate(value)

    @model_validator(mode="after")
    def _parts_fit(self) -> "Settings":
        if self.task.vocab_size is not None:  # else it is checked when the task is built
            self.require_width(self.task.vocab_size - self.task.n_special)
        backbone = self.backbone
        if self.vocabulary.tied and backbone.d_out != backbone.d_model:
            raise ValueError(
                f"d_hidden must be d_model={backbone.d_model} where the table that embeds tokens "
                f"reads out too, got {backbone.d_out}; use tied False, or leave d_hidden out"
            )
        return self

    def require_width(self, n_symbols: int) -> None:
        """Raise ParameterError unless so many tokens have room in random tables of this width."""
        if self.vocabulary.lex:
            self.vocabulary.check_symbols(n_symbols, self.backbone.d_model)
        if self.vocabulary.needs_width and n_symbols > self.backbone.d_model:
            symbols = self.task.symbols.format(**(self.task.model_dump() | {"n": n_symbols}))
            raise ParameterError(
                f"d_model must be at least {symbols} for {self.vocabulary.name} tables, got "
                f"{self.backbone.d_model}; use d_model {n_symbols} or more, or vocabulary "
                "gaussian_scaled"
            )

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> "Settings":
        """Return settings from flat names and values.

        Raises KeyError for an unknown name, ValueError for values that do not go together, and
        pydantic.ValidationError (a ValueError) for a value that one setting does not allow.
        """
        for section in CHOICES.keys() & values.keys():
            _settings_class(section, values[section])  # an unknown class is reported first
        nested: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            given = nested.setdefault(flat_names()[name], {})
            given["name" if name in CHOICES else name] = value
        parts = {
            section: _fitting_class(section, given).model_validate(given)
            for section, given in nested.items()
        }
        return cls(**parts)

    @classmethod
    def from_stored(cls, nested: Mapping[str, Mapping[str, Any]]) -> "Settings":
        """Return the settings that a `settings.json` holds, also one with names of former times.

        Raises ParameterError for a task, vocabulary, backbone or setting that does not exist here.
        """
        renamed = RENAMED | {"vocabulary": "name"}
        upgraded = {}
        for section, values in nested.items():
            upgraded[section] = {renamed.get(name, name): value for name, value in values.items()}
        unknown = [
            f"{section} {upgraded[section]['name']!r}"
            for section in CHOICES
            if upgraded.get(section, {}).get("name", "") not in ("", *entries(section))
        ]
        if unknown:
            remedy = "install the package that registers it, or define it in a module found here"
            reasons = "; ".join([remedy, *UNAVAILABLE.values()])
            raise ParameterError(f"no {' or '.join(unknown)} here; {reasons}")
        try:
            return cls.model_validate(upgraded)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ParameterError(f"stored settings: {place}: {first['msg']}") from None

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
        """Return these settings with some flat names changed, checked like any others.

        With another task, vocabulary or backbone, settings that it does not have are left out.
        """
        flat = self.flat() | changes
        for section in CHOICES.keys() & changes.keys():
            kept = _settings_class(section, changes[section]).model_fields.keys() | changes.keys()
            own = type(getattr(self, section)).model_fields.keys() - {"name"}
            flat = {name: value for name, value in flat.items() if name not in own - kept}
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
                defaults[name] = default_of(field)
        unsaid = {"n_steps"} if self.training.n_train_samples else set()  # it follows from the data
        unsaid |= {"n_tasks"} if self.flat().get("thetas") else set()
        if not study:
            unsaid |= set(StudySettings.model_fields)
        return {
            name: value
            for name, value in self.flat().items()
            if name not in unsaid and value != defaults[name]
        }

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits of everything that changes the mathematics.

        The key hashes TRAINING_VERSION, the names of task, vocabulary and backbone, and the
        settings that differ from their key defaults. So neither a new setting nor a new user-facing
        default moves the key of a stored run. Where a run is computed and what a chapter averages
        over is not in it.
        """
        content = {"version": TRAINING_VERSION}
        for section in (*CHOICES, "training"):
            part = getattr(self, section)
            values = part.model_dump(mode="json")
            if section in CHOICES:
                content[section] = values["name"]
            for name, field in type(part).model_fields.items():
                if name != "name" and values[name] != key_default_of(field):
                    content[f"{section}.{name}"] = values[name]
        return files.hash_bytes(json.dumps(content, sort_keys=True).encode(), 12)

    @property
    def part_names(self) -> dict[str, str]:
        """The names of the task, the vocabulary and the backbone, by section."""
        return {section: getattr(self, section).name for section in CHOICES}

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
        return self.replace(**KINDS[kind], **({} if seed is None else {"seed": seed}))

    @property
    def memorizing(self) -> str:
        """The name of the memorizing predictor that such a model could become."""
        return "memorizing" if self.kind == "normal" else "symmetrized"

    @property
    def name(self) -> str:
        """The name of the run's folder: what a person looks for first, then the key."""
        shape = f"{self.backbone.name}-d{self.backbone.d_model}-L{self.backbone.n_layers}"
        return f"{self.task.label}-{self.kind}-{shape}-s{self.training.seed}-{self.key}"


def _settings_class(section: str, name: Any) -> type[Section]:
    """Return the class that is registered under a name. Raises ParameterError for other names."""
    if not isinstance(name, str) or name not in entries(section):
        raise ParameterError(error_message(section, name))
    return entries(section)[name].settings


def _fitting_class(section: str, given: Mapping[str, Any]) -> type[Section]:
    """Return the class that is named, or else the first one, that has all the names given."""
    classes = settings_classes(section)
    fitting = [_settings_class(section, given["name"])] if "name" in given else classes
    for settings in fitting:
        if given.keys() <= settings.model_fields.keys():
            return settings
    partial = [name for name in given if any(name not in each.model_fields for each in fitting)]
    named = [f"{name} (of {_owner_names(section, name)})" for name in partial]
    named += [f"{section}={given['name']}"] if "name" in given else []
    raise ValueError(f"{' and '.join(named)} do not go together; leave one out")


def _owner_names(section: str, field: str) -> str:
    """Return `transformer or xlstm`: the names of the classes of a section that have a field."""
    names = entries(section).items()
    return " or ".join(name for name, entry in names if field in entry.settings.model_fields)
