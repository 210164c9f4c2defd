"""What is sampled: a class of settings for each task."""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lexurn.settings.fields import (
    Concentration,
    Positives,
    Probabilities,
    Real,
    Section,
    Whole,
)


class TaskSettings(Section):
    """What every task has: a name, the length of its sequences, and renamed tokens where asked for.

    Other tasks derive from this class, with a `name` of their own and a `vocab_size`.
    """

    n_special: ClassVar[int] = 0
    """Tokens that come first and belong to no symbol: SOS, EOS and PAD of strings."""

    name: str
    context_length: Whole = Field(
        32, ge=1, description="most tokens that the model sees before a prediction"
    )
    label_permuted: bool = Field(
        False, description="rename colours, letters or tokens of every training sequence at random"
    )

    @property
    def vocab_size(self) -> int | None:
        """The number of tokens; None where only the task, once it is built, knows it."""
        raise NotImplementedError(f"{type(self).__name__} needs a property vocab_size")

    def describe_symbols(self, n: int) -> str:
        """Return how many tokens carry a name of their own, in words, for messages."""
        return f"the {n} tokens of {self.name}"

    @property
    def label(self) -> str:
        """The beginning of the name of a run's folder."""
        return f"{self.name}-C{self.context_length}"


class UrnsSettings(TaskSettings):
    """Balls & urns: a pool of urns is drawn once, and sequences of balls are drawn from it.

    A coin is an urn of two colours.
    """

    name: Literal["urns"] = "urns"
    n_colors: Whole = Field(4, ge=2, description="colours of balls, the vocabulary")
    alpha: Concentration = Field(
        1.0, description="concentration of the Dirichlet prior: a number, or one per colour"
    )
    thetas: Probabilities = Field(
        (), description="the pool as given coins, by their probability of colour 1; []: drawn"
    )
    target_alpha: Positives = Field(
        (), description="prior that losses are weighted to, one per colour; []: none"
    )
    n_tasks: Whole = Field(
        default_factory=lambda data: len(data.get("thetas", ())) or 1,
        ge=0,
        description="urns in the training pool; 0: a fresh urn for every sequence",
    )

    @model_validator(mode="after")
    def _alpha_fits(self) -> "UrnsSettings":
        if isinstance(self.alpha, tuple) and len(self.alpha) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or n_colors={self.n_colors} numbers, got "
                f"{len(self.alpha)} of them; use 1.0 for the uniform prior"
            )
        return self

    @model_validator(mode="after")
    def _coins_have_two_sides(self) -> "UrnsSettings":
        if self.thetas and self.n_colors != 2:
            raise ValueError(
                f"thetas are coins, urns of two colours, got n_colors={self.n_colors}; "
                "use n_colors 2"
            )
        if self.thetas and self.n_tasks != len(self.thetas):
            raise ValueError(
                f"n_tasks follows from thetas, got n_tasks={self.n_tasks} and {len(self.thetas)} "
                "of them; leave n_tasks out"
            )
        return self

    @model_validator(mode="after")
    def _target_is_reached_by_weights(self) -> "UrnsSettings":
        if not self.target_alpha:
            return self
        if len(self.target_alpha) != self.n_colors:
            raise ValueError(
                f"target_alpha must be n_colors={self.n_colors} numbers, got "
                f"{len(self.target_alpha)} of them; use for example [1, 8] for two colours"
            )
        if self.n_tasks or self.label_permuted:
            raise ValueError(
                f"target_alpha weighs fresh urns, got n_tasks={self.n_tasks} and label_permuted="
                f"{self.label_permuted}; use n_tasks 0 and leave label_permuted out"
            )
        return self

    @property
    def vocab_size(self) -> int:
        return self.n_colors

    def describe_symbols(self, n: int) -> str:
        return f"n_colors={n}"

    @property
    def label(self) -> str:
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


class LanguageSettings(TaskSettings):
    """Strings of a formal language: a string, EOS, and padding up to context_length + 1 tokens."""

    n_special: ClassVar[int] = 3  # SOS, EOS, PAD

    name: Literal["language"] = "language"
    language: Literal[
        "baN",
        "bbaN",
        "aNbN",
        "dyck",
        "aNbNcN",
        "cs_dyck",
        "abN",
        "aNbM",
        "parentheses",
        "brackets",
    ] = Field("aNbN", description="formal language that strings are sampled from")
    max_length: Whole = Field(
        0, ge=0, description="most letters of training strings; 0: context_length"
    )
    unseen: Real = Field(
        0.0, ge=0, lt=1, description="share of the strings of 8 letters or more kept from training"
    )
    completions: Literal["none", "oracle", "adversarial"] = Field(
        "none",
        description="prompts in training: none, completed by rule 1 (oracle), or against it "
        "(adversarial)",
    )

    @model_validator(mode="after")
    def _strings_fit(self) -> "LanguageSettings":
        if self.max_length > self.context_length:
            raise ValueError(
                f"max_length must be at most context_length={self.context_length}, got "
                f"{self.max_length}; raise context_length"
            )
        if self.unseen and self.completions != "none":
            raise ValueError(
                f"unseen and completions do not go together, got unseen={self.unseen} and "
                f"completions={self.completions}; keep one of the two"
            )
        return self

    @property
    def longest(self) -> int:
        """The number of letters that a training string may have."""
        return self.max_length or self.context_length

    @property
    def vocab_size(self) -> int:
        return self.n_special + len(LETTERS[self.language])

    def describe_symbols(self, n: int) -> str:
        return f"the {n} letters of {self.language}"

    @property
    def label(self) -> str:
        return f"{self.language}-C{self.context_length}"


class TextSettings(TaskSettings):
    """Text: sequences of context_length + 1 tokens of a corpus."""

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
    train_split: Literal["train", "valid"] = Field(
        "train",
        description="split to train on: train, or valid (its last tenth then chooses the weights)",
    )

    @model_validator(mode="after")
    def _only_bpe_learns_its_tokens(self) -> "TextSettings":
        if self.tokenizer != "bpe" and self.n_tokens != type(self).model_fields["n_tokens"].default:
            raise ValueError(
                f"n_tokens counts only with tokenizer bpe, got n_tokens={self.n_tokens} and "
                f"tokenizer={self.tokenizer}; leave n_tokens out"
            )
        return self

    @property
    def vocab_size(self) -> int | None:
        """None for characters: there are as many as the corpus has."""
        sizes: dict[str, Any] = {"bpe": self.n_tokens, "gpt2": self.GPT2_TOKENS, "char": None}
        return sizes[self.tokenizer]

    def describe_symbols(self, n: int) -> str:
        return f"the {n} tokens of {self.tokenizer}"

    @property
    def label(self) -> str:
        corpus = re.sub(r"[^A-Za-z0-9_]+", "-", Path(self.corpus).name).strip("-") or "folder"
        size = f"{self.n_tokens}" if self.tokenizer == "bpe" else ""
        return f"{corpus}-{self.tokenizer}{size}-C{self.context_length}"
