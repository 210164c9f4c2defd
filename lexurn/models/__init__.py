"""Language models: vocabulary × positions × backbone."""

from lexurn.models.language_model import (
    LanguageModel,
    as_predictor,
    build,
    loss_as_trained,
    summary,
)
from lexurn.models.vocabulary import LearnedVocabulary, RandomVocabulary

__all__ = [
    "LanguageModel",
    "LearnedVocabulary",
    "RandomVocabulary",
    "as_predictor",
    "build",
    "loss_as_trained",
    "summary",
]
