"""Settings of one run, nested by their owner and flat for users (pydantic only, no torch).

    task        what is sampled                                TaskSettings …       tasks.py
    vocabulary  how tokens are embedded and read out           VocabularySettings   vocabulary.py
    backbone    what computes in between                       BackboneSettings …   backbones.py,
                                                                                   transformer.py
    training    how the weights are found                      TrainingSettings     training.py
    machine     where it runs; not in the key                  MachineSettings      training.py
    study       what a chapter averages over; not in the key   StudySettings        training.py

Every field has one flat name over all owners: `Settings.from_flat({"lex": True, "n_steps": 200})`
and `settings.flat()` are inverse to each other. The flat names `task`, `vocabulary` and `backbone`
choose a class from the registry (`registry.py`), as does any name that only one of them has.
`settings.key` hashes everything that changes the mathematics. What people type becomes
settings in `resolver.py`.
"""

from lexurn.settings.backbones import (
    BackboneSettings,
    BagSettings,
    EquivariantSettings,
    LinearSettings,
    LSTMSettings,
    MambaSettings,
    PositionFreeSettings,
    XLSTMSettings,
)
from lexurn.settings.fields import Real, Section, Whole
from lexurn.settings.registry import flat_names, register
from lexurn.settings.run_settings import KINDS, TRAINING_VERSION, Settings
from lexurn.settings.tasks import (
    LETTERS,
    LanguageSettings,
    TaskSettings,
    TextSettings,
    UrnsSettings,
)
from lexurn.settings.training import MachineSettings, StudySettings, TrainingSettings
from lexurn.settings.transformer import TransformerSettings
from lexurn.settings.vocabulary import CanonicalSettings, NamesSettings, VocabularySettings

__all__ = [
    "KINDS",
    "LETTERS",
    "TRAINING_VERSION",
    "BackboneSettings",
    "BagSettings",
    "CanonicalSettings",
    "EquivariantSettings",
    "LSTMSettings",
    "LanguageSettings",
    "LinearSettings",
    "MachineSettings",
    "MambaSettings",
    "NamesSettings",
    "PositionFreeSettings",
    "Real",
    "Section",
    "Settings",
    "StudySettings",
    "TaskSettings",
    "TextSettings",
    "TrainingSettings",
    "TransformerSettings",
    "UrnsSettings",
    "VocabularySettings",
    "Whole",
    "XLSTMSettings",
    "flat_names",
    "register",
]
