"""The look of everything that figures show: one colour, dash, marker and hatch per entity.

A predictor, a kind of model, an architecture or a positional encoding looks the same in the whole
book. Every colour has a contrast of at least 3:1 on a white page, and so has the colour
that dark pages show for it (`dark`).
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_hex, to_rgb


class Look(NamedTuple):
    """How one entity is drawn as a line, as a point, and as an area."""

    color: str
    dash: Any
    marker: str
    hatch: str = ""


LOOKS = {
    # predictors
    "generalizing": Look("#00805A", "--", "D"),
    "memorizing": Look("#C2478F", ":", "v", "//"),
    "symmetrized": Look("#A36A00", (0, (6, 1, 1, 1)), "P", ".."),
    "uniform": Look("#767676", (0, (1, 3)), "X", "\\\\"),
    "oracle": Look("#000000", (0, (8, 2)), "*"),
    "relabelled": Look("#6B4423", (0, (8, 2, 2, 2)), "d"),
    # colours of balls that have names
    "red": Look("#C0352B", "-", "o"),
    "blue": Look("#0072B2", "-", "o"),
    "green": Look("#00805A", "-", "o"),
    # kinds of models
    "normal": Look("#0072B2", "-", "o"),
    "lexical": Look("#D55E00", (0, (5, 1)), "s"),
    "lexical, longer": Look("#8C4A00", ":", "D"),
    "permuted": Look("#7B3FA0", (0, (3, 1, 1, 1, 1, 1)), "^"),
    "original tables": Look("#8C2D19", "--", "X"),
    # architectures and positional encodings
    "transformer": Look("#1F3B73", "-", "o"),
    "rotary": Look("#2788B5", (0, (5, 1)), "s"),
    "no positions": Look("#66809C", (0, (3, 1, 1, 1)), "^"),
    "lstm": Look("#C0352B", ":", "D"),
    "mamba": Look("#4F7A1F", "--", "v"),
    "mamba without convolution": Look("#7D8F3C", (0, (1, 2)), "<"),
    "xlstm": Look("#6B4EE6", "-.", "P"),
    "linear": Look("#8A6A4F", (0, (8, 2, 2, 2)), "X"),
    # numbers of names
    "4 names": Look("#000000", "-", "o"),
    "8 names": Look("#0072B2", (0, (5, 1)), "s"),
    "12 names": Look("#D55E00", "--", "^"),
    "16 names": Look("#00805A", ":", "D"),
    "24 names": Look("#C2478F", "-.", "v"),
    "32 names": Look("#A36A00", (0, (3, 1, 1, 1)), "P"),
    # rows, levels and settings that several figures show
    "exact": Look("#000000", (0, (8, 2)), "*"),
    "models": Look("#0072B2", "-", "o"),
    "account": Look("#000000", (0, (5, 1)), "s"),
    "baseline": Look("#767676", ":", "^"),
    "default": Look("#0072B2", "-", "o"),
    "no BOS": Look("#00805A", (0, (3, 1, 1, 1)), "v"),
    "tiny": Look("#7B3FA0", ":", "D"),
    "pre SwiGLU": Look("#0072B2", "-", "o"),
    "pre GELU": Look("#7B3FA0", (0, (3, 1, 1, 1)), "s"),
    "post SwiGLU": Look("#D55E00", (0, (5, 1)), "^"),
    "post GELU": Look("#00805A", ":", "D"),
    "greedy": Look("#0072B2", "-", "o"),
    "sampled": Look("#D55E00", (0, (5, 1)), "s"),
    "best ever, finished only": Look("#00805A", "--", "^"),
    "tails": Look("#0072B2", "-", "o"),
    "heads": Look("#D55E00", (0, (5, 1)), "^"),
}

# Looks of names without an entry in `LOOKS`, such as seeds, in the order of their appearance.
FREE_LOOKS = (
    Look("#000000", "-", "o"),
    Look("#0072B2", (0, (5, 1)), "s"),
    Look("#D55E00", (0, (3, 1, 1, 1)), "^"),
    Look("#00805A", ":", "D"),
    Look("#C2478F", (0, (1, 3)), "v"),
    Look("#A36A00", "--", "*"),
    Look("#2788B5", "-.", "P"),
    Look("#767676", (0, (8, 2, 2, 2)), "X"),
)


def looks(names: Iterable[Any]) -> dict[Any, Look]:
    """Return the look of each name in one figure.

    Names without an entry in `LOOKS` get free looks, in their order, but none with a colour that
    another name of the figure has, and the same dash or marker only if all others are given away.
    Raises ValueError if no look is left.
    """
    names = list(dict.fromkeys(names))
    known = {name: LOOKS[name] for name in names if name in LOOKS}
    taken = {part for look in known.values() for part in look[:3]}
    free = [look for look in FREE_LOOKS if look.color not in taken]
    free.sort(key=lambda look: len(taken.intersection(look)))
    unknown = [name for name in names if name not in known]
    if len(unknown) > len(free):
        raise ValueError(
            f"one figure can distinguish at most {len(FREE_LOOKS)} values, got {len(names)}: "
            f"{', '.join(map(str, names))}; draw fewer"
        )
    given = known | dict(zip(unknown, free, strict=False))
    return {name: given[name] for name in names}


def dark(color: Any) -> str:
    """Return the colour that dark pages show for a colour of a figure.

    Black and white change places and hues stay: the filter `invert(0.92) hue-rotate(180deg)` of the
    book's style sheet. Source: W3C, Filter Effects Module Level 1.
    """
    inverted = 0.92 - 0.84 * np.array(to_rgb(color))
    luminance = inverted @ (0.213, 0.715, 0.072)
    return to_hex((2 * luminance - inverted).clip(0, 1))
