"""The tasks, backbones and vocabularies that there are, each under its name, and open to others.

A new one is a settings class, a module with its code, and one registration:

    lexurn.register("backbone", GRUSettings, "my_package.gru:GRU")

A package that is installed beside this one names the module that registers in an entry point of the
group `lexurn`; it is loaded before any settings are read, in every process. Where that fails, the
package is named on stderr. This is the one module that imports by a string.
"""

import sys
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

UNAVAILABLE: dict[str, str] = {}
"""Why modules and classes from outside could not be loaded; messages about unknown names say it."""


def register(section: str, settings: type[Section], target: str) -> None:
    """Add a task, a backbone or a vocabulary under the name, or names, that its settings class has.

    `section` is `task`, `backbone` or `vocabulary`. `settings` derives from the base class of that
    section and has a field `name: Literal["..."] = "..."`. `target` is `module:attribute` of what
    is built: a `tasks.Task` from the run's settings; a backbone from its settings and `n_rows`; a
    vocabulary as `models.vocabulary` says. Raises ParameterError for anything else, and for a name
    that belongs to another class.
    """
    base = CHOICES.get(section, Section)
    is_derived = isinstance(settings, type) and issubclass(settings, base)
    fields = settings.model_fields if is_derived else {}
    names = get_args(fields["name"].annotation) if "name" in fields else ()
    settable = {name: field for name, field in fields.items() if name != "name"}
    bare = [
        name for name, field in settable.items() if field.is_required() or not field.description
    ]
    needs = {
        "a section: " + " or ".join(CHOICES): section in CHOICES,
        f"a settings class derived from {base.__name__}": is_derived,
        'a settings class with a field `name: Literal["my_name"] = "my_name"`': (
            names and fields["name"].default in names
        ),
        "a default and a description for every setting, for example "
        f"`{''.join(bare[:1])}: Whole = Field(3, ge=1, description='...')`": not bare,
        "a settings class with a property vocab_size": (
            section != "task" or not is_derived or settings.vocab_size != TaskSettings.vocab_size
        ),
        "a settings class derived from PositionFreeSettings, or with fields positions, "
        "positions_trained and bos": (
            section != "backbone"
            or {"positions", "positions_trained", "bos"} <= {*dir(settings), *fields}
        ),
        "a target as text, `module:attribute`": isinstance(target, str) and ":" in target,
    }
    if need := next((need for need, is_met in needs.items() if not is_met), ""):
        raise ParameterError(
            f"a registration needs {need}; got {section!r}, {settings!r}, {target!r}"
        )
    owners = _owners()
    if clash := next((name for name in fields if owners.get(name, section) != section), ""):
        raise ParameterError(
            f"{section} {names[0]}: {clash} is a setting of {owners[clash]} already; rename it in "
            f"{settings.__qualname__}"
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
    """Return the class or function that a task, backbone or vocabulary is built by.

    Raises ParameterError where there is none under its target.
    """
    target = entries(section)[name].target
    try:
        return load_object(target)
    except (ImportError, AttributeError) as error:
        raise ParameterError(
            f"{section} {name} was registered with the target {target}, which cannot be imported "
            f"({type(error).__name__}: {error}); give the module and the class that exist"
        ) from error


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


def outside_modules(names: Mapping[str, str]) -> set[str]:
    """Return the packages outside this one that parts are built by, from names by section."""
    targets = (entries(section)[name].target for section, name in names.items())
    return {target.partition(":")[0].partition(".")[0] for target in targets} - {"lexurn"}


def register_again(outside: list[tuple[str, str, str]]) -> None:
    """Register in this process what `outside_entries` has named in another one.

    What cannot be imported here is missing only if a run needs it; see `UNAVAILABLE`.
    """
    for section, settings, target in outside:
        try:
            register(section, load_object(settings), target)
        except (ImportError, AttributeError, ParameterError) as error:
            reason = f"{type(error).__name__}: {error}"
            UNAVAILABLE[settings] = f"{settings} is not available in this process ({reason})"


@cache
def flat_names() -> dict[str, str]:
    """Return the section that owns each flat name, in the order of the sections.

    The flat name of a section with a choice of classes says which of them is meant.
    """
    _load_entry_points()
    return _owners()


def _owners() -> dict[str, str]:
    """Return `flat_names` of what is registered so far."""
    owners: dict[str, str] = {}
    for section, entries in _ENTRIES.items():
        classes = (entry.settings for entry in entries.values())
        fields = [name for settings in classes for name in settings.model_fields]
        owners |= dict.fromkeys([section, *fields], section)
    for section, settings in FIXED.items():
        owners |= dict.fromkeys(settings.model_fields, section)
    owners.pop("name", None)
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
            package = f"{point.dist.name} {point.dist.version}" if point.dist else "without a name"
            UNAVAILABLE[point.value] = (
                f"package {package}: the entry point {point.name} = {point.value} of the group "
                f"lexurn cannot be loaded ({type(error).__name__}: {error}); mend or uninstall it"
            )
            print(f"warning: {UNAVAILABLE[point.value]}", file=sys.stderr)


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
