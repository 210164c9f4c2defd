"""Language models: vocabulary × positions × backbone."""

from lexurn.models.language_model import LanguageModel, build, load_weights, summary
from lexurn.models.prediction import as_predictor, as_trained_predictor, loss_as_trained
from lexurn.models.vocabulary import LearnedVocabulary, RandomVocabulary

__all__ = [
    "LanguageModel",
    "LearnedVocabulary",
    "RandomVocabulary",
    "as_predictor",
    "as_trained_predictor",
    "build",
    "load_weights",
    "loss_as_trained",
    "summary",
]
