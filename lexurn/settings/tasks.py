"""What is sampled: a class of settings for each task."""

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import Concentration, Positives, Probabilities, Real, Section, Whole
from lexurn.settings.registry import load_object


class UrnsSettings(Section):
    """Balls & urns: a pool of urns drawn once, sequences of balls drawn from them. A coin is an urn of two colours."""

    first_row: ClassVar[int] = 1  # of means over rows: row 0 has seen no ball
    n_special: ClassVar[int] = 0  # tokens that are no words

    name: Literal["urns"] = "urns"
    n_tasks: Whole = Field(
        1, ge=0, description="urns in the training pool; 0: a fresh urn for every sequence"
    )
    n_colors: Whole = Field(4, ge=2, description="colours of balls, the vocabulary")
    alpha: Concentration = Field(
        1.0, description="concentration of the Dirichlet prior: a number, or one per colour"
    )
    context_length: Whole = Field(32, ge=1, description="most tokens seen before a prediction")
    label_permuted: bool = Field(
        False, description="rename colours, or letters, of every training sequence at random"
    )
    thetas: Probabilities = Field(
        (), description="the pool as given coins, by their probability of colour 1; []: drawn"
    )
    target_alpha: Positives = Field(
        (), description="prior that losses are weighted to, one per colour; []: none"
    )

    @model_validator(mode="after")
    def _alpha_fits(self) -> "UrnsSettings":
        if isinstance(self.alpha, tuple) and len(self.alpha) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or n_colors={self.n_colors} numbers, got {len(self.alpha)} of them; "
                "use 1.0 for the uniform prior"
            )
        return self

    @model_validator(mode="after")
    def _coins_have_two_sides(self) -> "UrnsSettings":
        if not self.thetas:
            return self
        if self.n_colors != 2:
            raise ValueError(
                f"thetas are coins, urns of two colours, got n_colors={self.n_colors}; use n_colors 2"
            )
        if "n_tasks" in self.model_fields_set and self.n_tasks != len(self.thetas):
            raise ValueError(
                f"n_tasks follows from thetas, got n_tasks={self.n_tasks} and {len(self.thetas)} of them; "
                "leave n_tasks out"
            )
        self.__dict__["n_tasks"] = len(self.thetas)
        return self

    @model_validator(mode="after")
    def _a_target_is_reached_by_weights(self) -> "UrnsSettings":
        if not self.target_alpha:
            return self
        if len(self.target_alpha) != self.n_colors:
            raise ValueError(
                f"target_alpha must be n_colors={self.n_colors} numbers, got {len(self.target_alpha)} of them; "
                "use for example [1, 8] for two colours"
            )
        if self.n_tasks or self.label_permuted:
            raise ValueError(
                f"target_alpha weighs fresh urns, got n_tasks={self.n_tasks} and label_permuted={self.label_permuted}; "
                "use n_tasks 0 and leave label_permuted out"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.n_colors

    @property
    def words(self) -> str:
        """How many tokens carry a name of their own, in words."""
        return f"n_colors={self.n_colors}"

    @property
    def names(self) -> list[str]:
        """What tokens are called, where it is not their number."""
        return []

    @property
    def label(self) -> str:
        """What the run's folder begins with."""
        return f"urns-V{self.n_colors}-D{self.n_tasks}-C{self.context_length}"


LETTERS = {
    "baN": "ab",
    "bbaN": "ab",
    "aNbN": "ab",
    "dyck": "()[]",
    "aNbNcN": "abc",
    "cs_dyck": "()[]",
    "abN": "ab",
    "aNbM": "ab",
    "parentheses": "()",
    "brackets": "[]",
}
"""The letters of each language (see `lexurn.generators.languages`)."""


class LanguageSettings(Section):
    """Words of a formal language. A sequence is a word, EOS, and padding up to context_length + 1 tokens."""

    first_row: ClassVar[int] = 0  # the first letter of a word counts
    n_special: ClassVar[int] = 3  # SOS, EOS, PAD

    name: Literal["language"] = "language"
    language: Literal[
        "baN", "bbaN", "aNbN", "dyck", "aNbNcN", "cs_dyck", "abN", "aNbM", "parentheses", "brackets"
    ] = Field("aNbN", description="words of")
    context_length: Whole = Field(32, ge=1, description="most tokens seen before a prediction")
    label_permuted: bool = Field(
        False, description="rename colours, or letters, of every training sequence at random"
    )
    max_length: Whole = Field(
        0, ge=0, description="most letters of training words; 0: context_length"
    )
    unseen: Real = Field(
        0.0, ge=0, lt=1, description="share of the words of 8 letters or more kept from training"
    )
    completions: Literal["none", "oracle", "adversarial"] = Field(
        "none",
        description="in training too: none, prompts that go on by rule 1 (oracle), against it (adversarial)",
    )

    @model_validator(mode="after")
    def _words_fit(self) -> "LanguageSettings":
        if self.max_length > self.context_length:
            raise ValueError(
                f"max_length must be at most context_length={self.context_length}, got {self.max_length}; "
                "raise context_length"
            )
        if self.unseen and self.completions != "none":
            raise ValueError(
                f"unseen and completions do not go together, got unseen={self.unseen} and completions="
                f"{self.completions}; keep one of the two"
            )
        return self

    @property
    def longest(self) -> int:
        """Most letters of a training word."""
        return self.max_length or self.context_length

    @property
    def vocab_size(self) -> int:
        return self.n_special + len(LETTERS[self.language])

    @property
    def words(self) -> str:
        return f"the {len(LETTERS[self.language])} letters of {self.language}"

    @property
    def names(self) -> list[str]:
        return ["S", "E", "·", *LETTERS[self.language]]

    @property
    def label(self) -> str:
        return f"{self.language}-C{self.context_length}"


class TextSettings(Section):
    """Text: sequences of context_length + 1 tokens of a corpus."""

    first_row: ClassVar[int] = 0  # every token counts
    n_special: ClassVar[int] = 0
    GPT2_TOKENS: ClassVar[int] = 50_257

    name: Literal["text"] = "text"
    corpus: str = Field(
        "plays", description="plays, wikitext-2, or a folder with train.txt, valid.txt, test.txt"
    )
    tokenizer: Literal["bpe", "char", "gpt2"] = Field(
        "bpe", description="bpe (learned from the training text), char (characters), or gpt2"
    )
    n_tokens: Whole = Field(
        1024, ge=257, description="tokens that bpe learns, 256 bytes among them"
    )
    trained_on: Literal["train", "valid"] = Field(
        "train",
        description="split that is trained on: train, or valid (its last tenth then chooses the weights)",
    )
    context_length: Whole = Field(32, ge=1, description="most tokens seen before a prediction")
    label_permuted: bool = Field(
        False, description="rename the tokens of every training sequence at random"
    )

    @model_validator(mode="after")
    def _sizes_are_learned(self) -> "TextSettings":
        if self.tokenizer != "bpe" and self.n_tokens != type(self).model_fields["n_tokens"].default:
            raise ValueError(
                f"n_tokens counts only with tokenizer bpe, got n_tokens={self.n_tokens} and tokenizer="
                f"{self.tokenizer}; leave n_tokens out"
            )
        return self

    @property
    def vocab_size(self) -> int:
        """How many tokens there are; of characters as many as the corpus has, which is read for it."""
        if self.tokenizer == "char":
            return len(load_object("lexurn.generators.text:load")(self).tokenizer.pieces)
        return self.GPT2_TOKENS if self.tokenizer == "gpt2" else self.n_tokens

    @property
    def words(self) -> str:
        return f"the {self.vocab_size} tokens of {self.tokenizer}"

    @property
    def names(self) -> list[str]:
        return []

    @property
    def label(self) -> str:
        corpus = re.sub(r"[^A-Za-z0-9_]+", "-", Path(self.corpus).name).strip("-") or "folder"
        size = f"{self.n_tokens}" if self.tokenizer == "bpe" else ""
        return f"{corpus}-{self.tokenizer}{size}-C{self.context_length}"
