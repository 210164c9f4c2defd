"""Prompts: prefixes of strings (in distribution), and prefixes of no string (out of distribution).

    baN, aNbN        all 2^8 strings of eight letters: 128 and 5 of them are prefixes
    aNbNcN           all 3^5 strings of five letters: 4 of them are prefixes
    bbaN             b^k a^(8−k), k = 1 … 8; and a b^k a^(7−k), k = 1 … 6
    aNbN_cNdN        those of aNbN, so no prompt has a c or a d
    dyck, cs_dyck    ( [ and one of the 40 strings of six letters; and ) [ and the same string

No completion brings an out-of-distribution prompt into the language. Most of these prompts break
rule 2 for good; a completion of the others (4 of aNbN, 17 of aNbNcN) obeys rule 1 only by breaking
rule 2. Prompts are rows of letters without SOS and EOS; `start` is the empty prompt.

Source: Mészáros et al. 2024 (arXiv 2409.13728). They draw the prompts of bbaN, where we take all,
and draw from 16 bracket strings, where we take all strings of six letters.
"""

from itertools import compress, product

import torch
from jaxtyping import Int64

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import FIRST_LETTER


def prompts(name: str) -> dict[str, Tokens]:
    """Return the prompts `in_distribution`, `out_of_distribution` and `start` of a language.

    Raises ParameterError for a language without two rules.
    """
    if name not in PROMPTS:
        raise ParameterError(
            f"{name} has no prompts, because prompts break one of two rules; "
            f"use a language with two rules: {', '.join(PROMPTS)}"
        )
    inside, outside = (
        LANGUAGES[name].encode(strings, length=len(strings[0]) + 1)[:, :-1]
        for strings in PROMPTS[name]()
    )
    return {
        "in_distribution": inside,
        "out_of_distribution": outside,
        "start": torch.full((1, 0), FIRST_LETTER),
    }


def split_prompts(
    prompts: Tokens, *, n_completed: int = 0, seed: int = 0
) -> tuple[Int64[torch.Tensor, "some time"], Int64[torch.Tensor, "rest time"]]:
    """Return the prompts that training may complete, and the half that it never sees.

    The two halves are always the same. Training may complete the whole first half or, if it is not
    0, `n_completed` prompts of it. The seed chooses these; more of them include the fewer.
    """
    order = torch.randperm(len(prompts), generator=generator(0, "halves of prompts"))
    first, second = order[: len(prompts) // 2], order[len(prompts) // 2 :]
    if n_completed:
        shuffled = torch.randperm(len(first), generator=generator(seed, "completed prompts"))
        first = first[shuffled[:n_completed]]
    return prompts[first], prompts[second]


def _split_all(letters: str, length: int, prefixes: set[str]) -> tuple[list[str], list[str]]:
    """Return all strings of `length` letters that are among `prefixes`, and all others."""
    strings = ["".join(string) for string in product(letters, repeat=length)]
    return (
        [string for string in strings if string in prefixes],
        [string for string in strings if string not in prefixes],
    )


def _anbn_prompts() -> tuple[list[str], list[str]]:
    return _split_all("ab", 8, {("a" * n + "b" * n)[:8] for n in range(4, 9)})


def _bracket_prompts() -> tuple[list[str], list[str]]:
    strings = ["".join(string) for string in product("()[]", repeat=6)]
    is_dyck = LANGUAGES["dyck"].contains(LANGUAGES["dyck"].encode(strings, length=7)).tolist()
    endings = list(compress(strings, is_dyck))
    return ["([" + ending for ending in endings], [")[" + ending for ending in endings]


PROMPTS = {
    "baN": lambda: _split_all("ab", 8, {"b" + "".join(tail) for tail in product("ab", repeat=7)}),
    "bbaN": lambda: (
        ["b" * k + "a" * (8 - k) for k in range(1, 9)],
        ["a" + "b" * k + "a" * (7 - k) for k in range(1, 7)],
    ),
    "aNbN": _anbn_prompts,
    "aNbN_cNdN": _anbn_prompts,
    "aNbNcN": lambda: _split_all(
        "abc", 5, {("a" * n + "b" * n + "c" * n)[:5] for n in range(2, 6)}
    ),
    "dyck": _bracket_prompts,
    "cs_dyck": _bracket_prompts,
}
