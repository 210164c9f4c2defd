"""Language models: vocabulary × positions × backbone."""

from lexurn.models.language_model import (
    BACKBONES,
    LanguageModel,
    as_predictor,
    build,
    loss_as_trained,
    summary,
)
from lexurn.models.vocabulary import LearnedVocabulary, RandomVocabulary

__all__ = [
    "BACKBONES",
    "LanguageModel",
    "LearnedVocabulary",
    "RandomVocabulary",
    "as_predictor",
    "build",
    "loss_as_trained",
    "summary",
]
