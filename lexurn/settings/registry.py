"""The tasks, backbones and vocabularies that there are, each under its name, and open to others.

A new one is a settings class, a module with its code, and one registration:

    lexurn.register("backbone", GRUSettings, "my_package.gru:GRU")

A package that is installed beside this one names the module that registers in an entry point of the
group `lexurn`; it is loaded before any settings are read, in every process. This is the one module
that imports by a string.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_args

from lexurn.base.errors import ParameterError
from lexurn.settings.backbones import (
    BackboneSettings,
    BagSettings,
    EquivariantSettings,
    LinearSettings,
    LSTMSettings,
    MambaSettings,
    XLSTMSettings,
)
from lexurn.settings.fields import Section
from lexurn.settings.tasks import LanguageSettings, TaskSettings, TextSettings, UrnsSettings
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings
from lexurn.settings.transformer import TransformerSettings
from lexurn.settings.vocabulary import CanonicalSettings, NamesSettings, VocabularySettings

CHOICES: dict[str, type[Section]] = {
    "task": TaskSettings,
    "vocabulary": VocabularySettings,
    "backbone": BackboneSettings,
}
"""The sections of settings that have a choice of classes, with the base of these classes."""

FIXED: dict[str, type[Section]] = {
    "training": TrainingSettings,
    "machine": MachineSettings,
    "study": StudySettings,
}
"""The sections of settings that are of one class."""

HELP = {
    "task": "what is sampled: urns (coins are urns of two colours), language, text",
    "vocabulary": "with lex: one_hot, orthonormal, gaussian_scaled, gaussian, original, names "
    "(from a fixed set), canonical (renamed by first appearance)",
    "backbone": "architecture: transformer, lstm, mamba, xlstm, linear, bag, equivariant",
}


@dataclass(frozen=True)
class Entry:
    """A settings class and the code that is built from it, as `module:attribute`."""

    settings: type[Section]
    target: str


_ENTRIES: dict[str, dict[str, Entry]] = {section: {} for section in CHOICES}


def register(section: str, settings: type[Section], target: str) -> None:
    """Add a task, a backbone or a vocabulary under the name, or names, that its settings class has.

    `section` is `task`, `backbone` or `vocabulary`. `settings` derives from the base class of that
    section and has a field `name: Literal["..."] = "..."`. `target` is `module:attribute` of what
    is built: a `tasks.Task` from the run's settings; a backbone from its settings and `n_rows`; a
    vocabulary as `models.vocabulary` says. Raises ParameterError for anything else, and for a name
    that belongs to another class.
    """
    base = CHOICES.get(section, ())
    is_derived = isinstance(settings, type) and issubclass(settings, base)
    names = get_args(settings.model_fields["name"].annotation) if is_derived else ()
    if not names or ":" not in target:
        bases = ", ".join(f"{name} ({cls.__name__})" for name, cls in CHOICES.items())
        raise ParameterError(
            f"a registration needs a section with its base class, one of {bases}; settings derived "
            'from that class with a field `name: Literal["my_name"] = "my_name"`; and a target '
            f"`module:attribute`; got {section!r}, {settings!r}, {target!r}"
        )
    for name in names:
        present = _ENTRIES[section].get(name)
        if present and present.target != target:
            raise ParameterError(
                f"{section} {name} is registered already, as {present.target}; use another name"
            )
        _ENTRIES[section][name] = Entry(settings, target)
    flat_names.cache_clear()


def entries(section: str) -> Mapping[str, Entry]:
    """Return everything that is registered for a section, by its name, the default first."""
    _load_entry_points()
    return _ENTRIES[section]


def settings_classes(section: str) -> list[type[Section]]:
    """Return the settings classes of a section, the default first."""
    if section in FIXED:
        return [FIXED[section]]
    return list(dict.fromkeys(entry.settings for entry in entries(section).values()))


def load_target(section: str, name: str) -> Any:
    """Return the class or function that a task, backbone or vocabulary is built by."""
    return load_object(entries(section)[name].target)


def load_object(name: str) -> Any:
    """Import `package.module:attribute`, or a module. Raises ImportError or AttributeError."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute) if attribute else import_module(module)


def outside_entries() -> list[tuple[str, str, str]]:
    """Return what was registered from outside this package, as arguments for `register_again`."""
    return [
        (section, f"{entry.settings.__module__}:{entry.settings.__qualname__}", entry.target)
        for section in CHOICES
        for entry in dict.fromkeys(entries(section).values())
        if not entry.target.startswith("lexurn.")
    ]


def register_again(outside: list[tuple[str, str, str]]) -> None:
    """Register in this process what `outside_entries` has named in another one."""
    for section, settings, target in outside:
        register(section, load_object(settings), target)


@cache
def flat_names() -> dict[str, str]:
    """Return the section that owns each flat name, in the order of the sections.

    The flat name of a section with a choice of classes says which of them is meant.
    """
    owners: dict[str, str] = {}
    for section in (*CHOICES, *FIXED):
        names = [section] if section in CHOICES else []
        for settings in settings_classes(section):
            names += [field for field in settings.model_fields if field != "name"]
        for name in names:
            if owners.setdefault(name, section) != section:
                raise ParameterError(
                    f"{name} is a setting of {owners[name]} and of {section}; rename one of the two"
                )
    return owners


def owners(name: str) -> list[type[Section]]:
    """Return the settings classes that have a flat name."""
    return [
        settings
        for settings in settings_classes(flat_names()[name])
        if name in settings.model_fields
    ]


@cache
def _load_entry_points() -> None:
    for point in entry_points(group="lexurn"):
        try:
            point.load()
        except Exception as error:
            raise ParameterError(
                f"the entry point {point.name} = {point.value} of the group lexurn cannot be "
                f"loaded ({type(error).__name__}: {error}); mend or uninstall that package"
            ) from error


register("task", UrnsSettings, "lexurn.tasks.urns:UrnsTask")
register("task", LanguageSettings, "lexurn.tasks.language:LanguageTask")
register("task", TextSettings, "lexurn.tasks.text:TextTask")
register("vocabulary", VocabularySettings, "lexurn.models.vocabulary:build_vocabulary")
register("vocabulary", NamesSettings, "lexurn.models.names:NamesVocabulary")
register("vocabulary", CanonicalSettings, "lexurn.models.vocabulary:LearnedVocabulary")
register("backbone", TransformerSettings, "lexurn.models.transformer:Transformer")
register("backbone", LSTMSettings, "lexurn.models.lstm:LSTM")
register("backbone", MambaSettings, "lexurn.models.mamba:Mamba")
register("backbone", XLSTMSettings, "lexurn.models.xlstm:XLSTM")
register("backbone", LinearSettings, "lexurn.models.linear:Linear")
register("backbone", BagSettings, "lexurn.models.bag:Bag")
register("backbone", EquivariantSettings, "lexurn.models.equivariant:Equivariant")
