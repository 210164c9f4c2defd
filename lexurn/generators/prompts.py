"""Prompts: beginnings of words (in distribution), and what begins no word (out of distribution).

    baN, aNbN        all 2^8 strings of eight letters: 128 and 5 of them begin words
    aNbNcN           all 3^5 strings of five letters: 4 of them
    bbaN             b^k a^(8−k), k = 1 … 8; and a b^k a^(7−k), k = 1 … 6
    dyck, cs_dyck    ( [ and one of the 40 words of six letters; and ) [ and the same

No completion brings the latter into the language: most break rule 2 for good, and the others (4 of aNbN, 17 of aNbNcN)
can keep rule 1 only by breaking it. Those of Mészáros et al. 2024 (arXiv 2409.13728), but for bbaN all instead of
draws, and for brackets all words of six letters instead of draws from 16. Prompts are rows of letters without SOS and
EOS; `start` is the empty one.
"""

from itertools import product

import torch
from jaxtyping import Int64
from torch import Tensor

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import FIRST


def prompts(name: str) -> dict[str, Tokens]:
    """`in_distribution`, `out_of_distribution` and `start` for a language of two rules, or ValueError."""
    if name not in PROMPTS:
        raise ValueError(
            f"{name} has no prompts, which break one rule of two; languages with two: {', '.join(PROMPTS)}"
        )
    language = LANGUAGES[name]
    inside, outside = (
        language.encode(words, length=len(words[0]) + 1)[:, :-1] for words in PROMPTS[name]()
    )
    return {
        "in_distribution": inside,
        "out_of_distribution": outside,
        "start": torch.full((1, 0), FIRST),
    }


def halves(prompts: Tokens) -> tuple[Int64[Tensor, "some time"], Int64[Tensor, "others time"]]:
    """Prompts that a training may see completed, and those that it never does: the same halves always."""
    order = torch.randperm(len(prompts), generator=generator(0, "halves of prompts"))
    return prompts[order[: len(prompts) // 2]], prompts[order[len(prompts) // 2 :]]


def _all(letters: str, length: int, inside: set[str]) -> tuple[list[str], list[str]]:
    words = ["".join(word) for word in product(letters, repeat=length)]
    return [word for word in words if word in inside], [
        word for word in words if word not in inside
    ]


def _brackets() -> tuple[list[str], list[str]]:
    words = ["".join(word) for word in product("()[]", repeat=6)]
    language = LANGUAGES["dyck"]
    kept = [
        w
        for w, there in zip(
            words, language.contains(language.encode(words, length=7)).tolist(), strict=True
        )
        if there
    ]
    return ["([" + word for word in kept], [")[" + word for word in kept]


PROMPTS = {
    "baN": lambda: _all("ab", 8, {"b" + "".join(rest) for rest in product("ab", repeat=7)}),
    "bbaN": lambda: (
        ["b" * k + "a" * (8 - k) for k in range(1, 9)],
        ["a" + "b" * k + "a" * (7 - k) for k in range(1, 7)],
    ),
    "aNbN": lambda: _all("ab", 8, {("a" * n + "b" * n)[:8] for n in range(4, 9)}),
    "aNbNcN": lambda: _all("abc", 5, {("a" * n + "b" * n + "c" * n)[:5] for n in range(2, 6)}),
    "dyck": _brackets,
    "cs_dyck": _brackets,
}
