"""How tokens are embedded and logits are read out."""

from math import comb
from typing import ClassVar, Literal

from pydantic import Field

from lexurn.base.errors import ParameterError
from lexurn.settings.fields import Real, Section, Whole


class VocabularySettings(Section):
    """Learned embeddings, or random ones that are redrawn for every sequence (`lex`).

    Other vocabularies derive from this class, with a `name` of their own. `is_canonical` says that
    the model reads tokens under other names: in the order of their first appearance.
    """

    is_canonical: ClassVar[bool] = False

    name: Literal["one_hot", "orthonormal", "gaussian_scaled", "gaussian", "original"] = "one_hot"
    lex: bool = Field(
        False, description="lexical invariance: redraw the embedding table for every sequence"
    )
    tied: bool = Field(
        True, description="logits are read out with the table that embeds the tokens"
    )
    readout_bias: bool = Field(
        True, description="a readout that is neither tied nor lexical has a bias"
    )
    logit_scale: Real = Field(1.0, gt=0, description="factor on the logits")
    n_tables: Whole = Field(
        0,
        ge=0,
        le=1_000_000,
        description="random tables, drawn once, that sequences share; 0: each has its own",
    )
    redraw: Real = Field(
        0.0, ge=0, lt=1, description="share of sequences with a table of their own despite n_tables"
    )
    n_named: Whole = Field(
        0,
        ge=0,
        le=65_536,
        description="first tokens that keep a learned embedding although lex is on",
    )

    @property
    def needs_width(self) -> bool:
        """Whether the width of the model bounds how many tokens there may be."""
        return self.lex and self.name in ("one_hot", "orthonormal")

    @property
    def is_invariant(self) -> bool:
        """Whether no prediction can depend on what a token is called."""
        return self.lex and not self.n_tables and not self.n_named

    def check_symbols(self, n_symbols: int, d_model: int) -> None:
        """Raise ParameterError unless so many tokens have random embeddings of this width."""
        if self.n_named >= n_symbols:
            raise ParameterError(
                f"n_named must be less than the number of tokens, {n_symbols}, got {self.n_named}; "
                "leave lex out where all tokens have learned embeddings"
            )

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                not self.lex and (self.n_tables > 0 or self.n_named > 0),
                "n_tables and n_named count only with lex True, got n_tables="
                f"{self.n_tables} and n_named={self.n_named}; add lex True, or leave them out",
            ),
            (
                self.redraw > 0 and self.n_tables == 0,
                f"redraw counts only with n_tables, got redraw={self.redraw} and n_tables=0, where "
                "every sequence has a table of its own; set n_tables, for example 1",
            ),
            (
                not self.readout_bias and (self.tied or self.lex),
                "readout_bias counts only with tied False and lex False, got readout_bias=False "
                f"with tied={self.tied} and lex={self.lex}; leave readout_bias out",
            ),
            (
                not self.lex and self.name != "one_hot",
                f"vocabulary counts only with lex True, got vocabulary={self.name} and lex=False; "
                "add lex True, or leave vocabulary out",
            ),
            (
                self.lex
                and self.name == "original"
                and not (self.tied and self.logit_scale == 1.0),
                "vocabulary=original means N(0, 1) tables, tied True and logit_scale 1.0, got "
                f"tied={self.tied} and logit_scale={self.logit_scale}; use vocabulary gaussian to "
                "change them",
            ),
        ]


class NamesSettings(VocabularySettings):
    """Embeddings from a fixed set of names, of which each sequence uses one alphabet.

    A name is one of `n_names` vectors. An alphabet is a set of names, one name for each token.
    Every sequence draws an alphabet, and assigns its names to the tokens uniformly at random.
    """

    name: Literal["names"] = "names"
    lex: bool = Field(
        True, description="lexical invariance: redraw the embedding table for every sequence"
    )
    n_names: Whole = Field(
        0, ge=0, le=65_536, description="vectors that embeddings are drawn from; 0: d_model"
    )
    n_alphabets: Whole = Field(
        0, ge=0, le=1_000_000, description="sets of names that sequences use; 0: all that there are"
    )
    alphabets: Literal["random", "groups", "design", "blocks"] = Field(
        "random",
        description="random sets of names, disjoint groups, design: every pair of names in one, or "
        "blocks: all sets within equal blocks of names",
    )
    name_vectors: Literal["one_hot", "unit", "learned"] = Field(
        "one_hot", description="a name's vector: one_hot, a fixed random unit vector, or learned"
    )

    @property
    def needs_width(self) -> bool:
        """`check_symbols` asks for what these vectors need."""
        return False

    def count_names(self, d_model: int) -> int:
        return self.n_names or d_model

    def count_alphabets(self, n_symbols: int, d_model: int) -> int:
        """Return how many alphabets there are to choose from: sets of `n_symbols` names."""
        n_names = self.count_names(d_model)
        sizes = {
            "random": comb(n_names, n_symbols),
            "groups": n_names // n_symbols,
            "design": n_symbols**2 + n_symbols,
            "blocks": comb(n_names, n_symbols),
        }
        return sizes[self.alphabets]

    def check_symbols(self, n_symbols: int, d_model: int) -> None:
        super().check_symbols(n_symbols, d_model)
        n_random = n_symbols - self.n_named
        n_names = self.count_names(d_model)
        if n_names < n_random:
            raise ParameterError(
                f"n_names must be at least the number of tokens, {n_random}, got {n_names}; "
                f"use n_names {n_random} or more"
            )
        if self.name_vectors == "one_hot" and n_names > d_model:
            raise ParameterError(
                f"n_names must be at most d_model={d_model} for one_hot vectors, got {n_names}; "
                "use name_vectors unit or learned, or a larger d_model"
            )
        if self.alphabets == "design" and (n_random not in PLANES or n_names != n_random**2):
            raise ParameterError(
                "alphabets=design is the affine plane of V² names and lines of V, for V in "
                f"{', '.join(map(str, PLANES))}; got V={n_random} tokens and n_names={n_names}; "
                "use for example n_colors 4 and n_names 16"
            )
        sizes = block_sizes(n_names, n_random)
        if self.alphabets == "blocks" and self.n_alphabets not in (0, *sizes):
            raise ParameterError(
                f"n_alphabets counts all sets of {n_random} names within equal blocks of {n_names} "
                f"names for alphabets=blocks, got {self.n_alphabets}; use one of "
                f"{', '.join(map(str, sizes))}"
            )
        most = self.count_alphabets(n_random, d_model)
        if self.n_alphabets > most:
            raise ParameterError(
                f"n_alphabets must be at most {most} for alphabets={self.alphabets} of {n_random} "
                f"of {n_names} names, got {self.n_alphabets}; lower it, or use more names"
            )


def block_sizes(n_names: int, n_symbols: int) -> dict[int, int]:
    """Return how many names a block has, by the number of sets of names within equal blocks."""
    sizes = [size for size in range(n_symbols, n_names + 1) if n_names % size == 0]
    return {n_names // size * comb(size, n_symbols): size for size in sizes}


PLANES = (2, 3, 4, 5, 7)
"""Numbers of tokens for which there is a design: a finite field of that size is built in."""


class CanonicalSettings(VocabularySettings):
    """Learned embeddings for tokens that are renamed by the order of their first appearance.

    Invariance as preprocessing: the first token of a sequence is always read as 0, the next new one
    as 1, and so on.
    """

    is_canonical: ClassVar[bool] = True

    name: Literal["canonical"] = "canonical"
    lex: bool = Field(
        True, description="lexical invariance: redraw the embedding table for every sequence"
    )

    @property
    def needs_width(self) -> bool:
        return False

    def conflicts(self) -> list[tuple[bool, str]]:
        return [
            (
                self.n_tables > 0 or self.n_named > 0,
                "n_tables and n_named belong to random tables, got vocabulary=canonical, which has "
                "none; leave them out",
            ),
            *super().conflicts(),
        ]
