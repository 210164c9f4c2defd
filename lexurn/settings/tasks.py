"""What is sampled: a class of settings for each task."""

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from lexurn.settings.fields import Concentration, Positives, Probabilities, Real, Section, Whole


class TaskSettings(Section):
    """What every task has: a name, the length of its sequences, and renamed tokens where asked for.

    Other tasks derive from this class, with a `name` of their own and a `vocab_size`. `n_special`
    tokens come first and belong to no symbol: SOS, EOS and PAD of strings. `symbols` is what
    messages call the other tokens: their number `n`, and fields of the settings.
    """

    n_special: ClassVar[int] = 0
    symbols: ClassVar[str] = "the {n} tokens of {name}"
    name: str
    context_length: Whole = Field(
        32, ge=1, le=1_000_000, description="most tokens that the model sees before a prediction"
    )
    label_permuted: bool = Field(
        False, description="rename the tokens of every training sequence at random"
    )

    @property
    def vocab_size(self) -> int | None:
        """The number of tokens; None where only the task, once it is built, knows it."""
        raise NotImplementedError(f"{type(self).__name__} needs a property vocab_size")

    @property
    def label(self) -> str:
        """The beginning of the name of a run's folder."""
        return f"{self.name}-C{self.context_length}"


class UrnsSettings(TaskSettings):
    """Balls & urns: a pool of urns is drawn once, and sequences of balls are drawn from it.

    A coin is an urn of two colours.
    """

    symbols: ClassVar[str] = "n_colors={n}"

    name: Literal["urns"] = "urns"
    n_colors: Whole = Field(4, ge=2, le=65_536, description="colours of balls, the vocabulary")
    alpha: Concentration = Field(
        1.0, description="concentration of the Dirichlet prior: a number, or one per colour"
    )
    thetas: Probabilities = Field(
        (), description="the pool as given coins, by their probability of colour 1; []: drawn"
    )
    target_alpha: Positives = Field(
        (), description="prior that losses are weighted to, one per colour; []: none"
    )
    test_alpha: Positives = Field(
        (),
        description="prior of the fresh urns that models are judged on, one per colour; []: alpha",
    )
    n_tasks: Whole = Field(
        default_factory=lambda data: len(data.get("thetas", ())) or 1,
        ge=0,
        le=10_000_000,
        description="urns in the training pool; 0: a fresh urn for every sequence",
    )

    def conflicts(self) -> list[tuple[bool, str]]:
        n_alphas = len(self.alpha) if isinstance(self.alpha, tuple) else self.n_colors
        n_targets = len(self.target_alpha)
        n_thetas = len(self.thetas)
        return [
            (
                n_alphas != self.n_colors,
                f"alpha must be one number or n_colors={self.n_colors} numbers, got {n_alphas} of "
                "them; use 1.0 for the uniform prior",
            ),
            (
                n_thetas > 0 and self.n_colors != 2,
                f"thetas are coins, urns of two colours, got n_colors={self.n_colors}; "
                "use n_colors 2",
            ),
            (
                n_thetas > 0 and self.n_tasks != n_thetas,
                f"n_tasks follows from thetas, got n_tasks={self.n_tasks} and {n_thetas} of them; "
                "leave n_tasks out",
            ),
            (
                n_targets not in (0, self.n_colors),
                f"target_alpha must be n_colors={self.n_colors} numbers, got {n_targets} of them; "
                "use for example [1, 8] for two colours",
            ),
            (
                len(self.test_alpha) not in (0, self.n_colors),
                f"test_alpha must be n_colors={self.n_colors} numbers, got {len(self.test_alpha)} "
                "of them; use for example [1, 8] for two colours",
            ),
            (
                n_targets > 0 and (self.n_tasks > 0 or self.label_permuted),
                f"target_alpha weighs fresh urns, got n_tasks={self.n_tasks} and label_permuted="
                f"{self.label_permuted}; use n_tasks 0 and leave label_permuted out",
            ),
        ]

    @property
    def vocab_size(self) -> int:
        return self.n_colors

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
    "aNbN_cNdN": "abcd",
}
"""The letters of each language (see `lexurn.generators.languages`)."""


class LanguageSettings(TaskSettings):
    """Strings of a formal language: a string, EOS, and padding up to context_length + 1 tokens."""

    n_special: ClassVar[int] = 3  # SOS, EOS, PAD
    symbols: ClassVar[str] = "the {n} letters of {language}"

    name: Literal["language"] = "language"
    language: Literal[*LETTERS] = Field(
        "aNbN", description="formal language that strings are sampled from"
    )
    max_length: Whole = Field(
        0, ge=0, le=1_000_000, description="most letters of training strings; 0: context_length"
    )
    unseen: Real = Field(
        0.0, ge=0, lt=1, description="share of the strings of 8 letters or more kept from training"
    )
    completions: Literal["none", "oracle", "adversarial"] = Field(
        "none",
        description="prompts in training: none, completed by rule 1 (oracle), or against it "
        "(adversarial)",
    )
    n_completed: Whole = Field(
        0,
        ge=0,
        le=1_000,
        description="distinct prompts that training completes, each time anew; 0: half of all",
    )
    completed_share: Real = Field(
        0.1, ge=0.001, lt=1, description="share of training sequences that are completed prompts"
    )

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                self.max_length > self.context_length,
                f"max_length must be at most context_length={self.context_length}, got "
                f"{self.max_length}; raise context_length",
            ),
            (
                self.unseen > 0 and self.completions != "none",
                f"unseen and completions do not go together, got unseen={self.unseen} and "
                f"completions={self.completions}; keep one of the two",
            ),
            *(
                (
                    self.completions == "none" and getattr(self, name) != default,
                    f"{name} counts only with completions, got {name}={getattr(self, name)} and "
                    "completions=none; use completions oracle or adversarial",
                )
                for name, default in (("n_completed", 0), ("completed_share", 0.1))
            ),
        ]

    @property
    def longest(self) -> int:
        """The number of letters that a training string may have."""
        return self.max_length or self.context_length

    @property
    def vocab_size(self) -> int:
        return self.n_special + len(LETTERS[self.language])

    @property
    def label(self) -> str:
        return f"{self.language}-C{self.context_length}"


class TextSettings(TaskSettings):
    """Text: sequences of context_length + 1 tokens of a corpus."""

    symbols: ClassVar[str] = "the {n} tokens of {tokenizer}"
    GPT2_TOKENS: ClassVar[int] = 50_257

    name: Literal["text"] = "text"
    corpus: str = Field(
        "plays", description="plays, wikitext-2, or a folder with train.txt, valid.txt, test.txt"
    )
    tokenizer: Literal["bpe", "char", "gpt2"] = Field(
        "bpe", description="bpe (learned from the training text), char (characters), or gpt2"
    )
    n_tokens: Whole = Field(
        1024, ge=257, le=65_536, description="tokens that bpe learns, 256 bytes among them"
    )
    train_split: Literal["train", "valid"] = Field(
        "train",
        description="split to train on: train, or valid (its last tenth then chooses the weights)",
    )

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                self.tokenizer != "bpe"
                and self.n_tokens != type(self).model_fields["n_tokens"].default,
                f"n_tokens counts only with tokenizer bpe, got n_tokens={self.n_tokens} and "
                f"tokenizer={self.tokenizer}; leave n_tokens out",
            )
        ]

    @property
    def vocab_size(self) -> int | None:
        """None for characters: there are as many as the corpus has."""
        return {"bpe": self.n_tokens, "gpt2": self.GPT2_TOKENS, "char": None}[self.tokenizer]

    @property
    def label(self) -> str:
        corpus = re.sub(r"[^A-Za-z0-9_]+", "-", Path(self.corpus).name).strip("-") or "folder"
        size = f"{self.n_tokens}" if self.tokenizer == "bpe" else ""
        return f"{corpus}-{self.tokenizer}{size}-C{self.context_length}"
