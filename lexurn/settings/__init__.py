"""Settings of one run, nested by their owner and flat for users (pydantic only, no torch).

    task        what is sampled                                    UrnsSettings, LanguageSettings …     tasks.py
    vocabulary  how tokens are read and written                    VocabularySettings                   models.py
    backbone    what computes in between                           TransformerSettings, LSTMSettings …  models.py
    training    how the weights are found                          TrainingSettings                     training.py
    machine     where it runs; not in the key                      MachineSettings                      training.py
    study       how much a chapter averages over; not in the key   StudySettings                        training.py

Every field has one flat name over all owners, so `Settings.from_flat({"lex": True, "n_steps": 200})` and
`settings.flat()` are inverse to each other. Which task and which backbone is said by `task` and `backbone`, or by any
name that only one of them has. `settings.key` hashes everything that changes the mathematics.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, model_validator

from lexurn.settings.fields import Section
from lexurn.settings.models import (
    LinearSettings,
    LSTMSettings,
    MambaSettings,
    TransformerSettings,
    VocabularySettings,
    XLSTMSettings,
)
from lexurn.settings.tasks import LETTERS, LanguageSettings, TextSettings, UrnsSettings
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings

__all__ = [
    "FLAT",
    "KINDS",
    "LETTERS",
    "TRAINING_VERSION",
    "LSTMSettings",
    "LanguageSettings",
    "LinearSettings",
    "MachineSettings",
    "MambaSettings",
    "Settings",
    "StudySettings",
    "TextSettings",
    "TrainingSettings",
    "TransformerSettings",
    "UrnsSettings",
    "VocabularySettings",
    "XLSTMSettings",
]

TRAINING_VERSION = 1
"""Raised whenever equal settings no longer give the numbers that they gave: the golden test watches over it."""


LATER = {
    "task": ("label_permuted", "thetas", "target_alpha"),
    "vocabulary": ("readout_bias",),
    "backbone": (
        "d_head",
        "mlp",
        "d_mlp",
        "norm",
        "positions_trained",
        "bos",
        "norm_placement",
        "mlp_dropout",
    ),
    "training": (
        "optimizer",
        "patience",
        "min_delta",
        "initial",
        "initial_std",
        "trained",
        "n_checkpoints",
    ),
}
"""Settings that were added since version 1: at their defaults they are not in the key, which older runs have too."""

KINDS = ("normal", "lexical", "permuted")


SECTIONS: dict[str, tuple[type[Section], ...]] = {
    "task": (UrnsSettings, LanguageSettings, TextSettings),
    "vocabulary": (VocabularySettings,),
    "backbone": (TransformerSettings, LSTMSettings, MambaSettings, XLSTMSettings, LinearSettings),
    "training": (TrainingSettings,),
    "machine": (MachineSettings,),
    "study": (StudySettings,),
}
"""The classes that a section may be of, the default first."""

CHOICES = {
    "task": "what is sampled: urns (coins are urns of two colours), language, text",
    "backbone": "what computes in between: transformer, lstm, mamba, xlstm, linear",
}
"""Sections with a choice of classes: their flat name says which."""


class Settings(Section):
    """One run. Frozen; equal settings have equal keys."""

    task: Annotated[UrnsSettings | LanguageSettings | TextSettings, Field(discriminator="name")] = (
        UrnsSettings()
    )
    vocabulary: VocabularySettings = VocabularySettings()
    backbone: Annotated[
        TransformerSettings | LSTMSettings | MambaSettings | XLSTMSettings | LinearSettings,
        Field(discriminator="name"),
    ] = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    machine: MachineSettings = MachineSettings()
    study: StudySettings = StudySettings()

    @model_validator(mode="after")
    def _tables_fit(self) -> "Settings":
        family, task = self.vocabulary.vocabulary, self.task
        if not self.vocabulary.lex or family not in ("one_hot", "orthonormal"):
            return self
        size = task.vocab_size - task.n_special
        if size > self.backbone.d_model:
            raise ValueError(
                f"d_model must be at least {task.words} for {family} tables, got {self.backbone.d_model}; "
                f"use d_model {size} or more, or vocabulary gaussian_scaled"
            )
        return self

    @model_validator(mode="after")
    def _read_out_fits(self) -> "Settings":
        backbone = self.backbone
        if self.vocabulary.tied and backbone.d_out != backbone.d_model:
            raise ValueError(
                f"d_hidden must be d_model={backbone.d_model} where the table that embeds tokens reads out too, got "
                f"{backbone.d_out}; use tied False, or leave d_hidden out"
            )
        return self

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings from flat names; raises KeyError for an unknown name, ValueError for what does not go together, and
        pydantic.ValidationError (a ValueError) for a bad value."""
        nested: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            nested.setdefault(FLAT[name], {})["name" if name in CHOICES else name] = value
        for section in CHOICES.keys() & nested.keys():
            nested[section] = {"name": _class_for(section, nested[section])} | nested[section]
        return cls.model_validate(nested)

    def flat(self) -> dict[str, Any]:
        """Every flat name that counts here with its value, ready for YAML; `from_flat` takes it back."""
        nested = self.model_dump(mode="json")
        named = {
            name: (section, "name" if name in CHOICES else name) for name, section in FLAT.items()
        }
        return {
            name: nested[section][field]
            for name, (section, field) in named.items()
            if field in nested[section]
        }

    def changed(self, *, study: bool = False) -> dict[str, Any]:
        """The flat values that differ from the defaults and that are needed to say this run again, or this `study`."""
        chosen = {name: getattr(self, name).name for name in CHOICES}
        values, defaults = self.flat(), Settings().flat() | Settings.from_flat(chosen).flat()
        defaults |= {name: SECTIONS[name][0].model_fields["name"].default for name in CHOICES}
        values = {name: value for name, value in values.items() if study or FLAT[name] != "study"}
        if self.training.n_train_samples:
            del values["n_steps"]  # follows from the data
        return {name: value for name, value in values.items() if value != defaults[name]}

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits of everything that changes the mathematics, with TRAINING_VERSION."""
        values = self.model_dump(mode="json", exclude={"machine", "study"})
        for (
            section,
            names,
        ) in LATER.items():  # what came after the first runs counts only where it is used
            defaults = type(getattr(self, section))().model_dump(mode="json")
            for name in defaults.keys() & set(names):
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
        backbone = self.backbone
        model = f"{self.kind}-{backbone.name}-d{backbone.d_model}-L{backbone.n_layers}"
        return f"{self.task.label}-{model}-s{self.training.seed}-{self.key}"


FLAT: dict[str, str] = {
    field: section
    for section, classes in SECTIONS.items()
    for field in [
        *([section] if section in CHOICES else []),
        *dict.fromkeys(f for c in classes for f in c.model_fields),
    ]
    if field != "name"
}
"""Which section owns a flat name."""


def owners(name: str) -> list[type[Section]]:
    """The classes of settings that have a flat name."""
    return [each for each in SECTIONS[FLAT[name]] if name in each.model_fields]


def _class_for(section: str, given: Mapping[str, Any]) -> Any:
    """The name of the class that is asked for, or else of the first that has all the names given."""
    classes = {each.model_fields["name"].default: each for each in SECTIONS[section]}
    if "name" not in given:
        fitting = [name for name, each in classes.items() if given.keys() <= _fields(each)]
        if fitting:
            return fitting[0]
        first, second = _apart(given, classes)
        raise ValueError(f"{first} and {second} do not go together; keep one of the two")
    chosen = given["name"]
    if chosen in list(classes) and (
        foreign := [name for name in given if name not in _fields(classes[chosen])]
    ):
        theirs = " or ".join(name for name, each in classes.items() if foreign[0] in _fields(each))
        raise ValueError(
            f"{foreign[0]} is a setting of {section}={theirs}, got {section}={chosen}; leave {foreign[0]} out, or use "
            f"{section} {theirs}"
        )
    return chosen


def _fields(each: type[Section]) -> set[str]:
    return set(each.model_fields)


def _apart(given: Iterable[str], classes: Mapping[str, type[Section]]) -> tuple[str, str]:
    """Two of the names given that no class has both of, with the classes that they belong to."""
    of = {
        name: {label for label, each in classes.items() if name in _fields(each)} for name in given
    }
    first, second = next((a, b) for a in of for b in of if not of[a] & of[b])
    return (
        f"{first} (of {' or '.join(sorted(of[first]))})",
        f"{second} (of {' or '.join(sorted(of[second]))})",
    )
