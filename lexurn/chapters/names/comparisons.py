"""What is compared with what: settings that differ in one thing, and models that are invariant."""

from collections.abc import Mapping

import pandas as pd


def compared_settings(
    deficits: Mapping[str, pd.DataFrame],
) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return pairs of deficits by urn that differ in company, vectors, width or colours."""
    main, vectors, widths = (deficits[name] for name in ("alphabets", "vectors", "widths"))
    three = deficits["three"]
    return {
        "20 lines / 4 groups of 16 names": (main["N16 design"], main["N16 groups"]),
        "20 lines / 16 random of 16 names": (main["N16 design"], main["N16 K16"]),
        "8 groups / 8 random of 32 names": (main["N32 groups"], main["N32 K8"]),
        "learned / one-hot, any 4 of 32": (vectors["learned N32"], main["N32 all"]),
        "fixed unit / one-hot, any 4 of 32": (vectors["unit N32"], main["N32 all"]),
        "learned / one-hot, 8 alphabets": (vectors["learned N32 K8"], main["N32 K8"]),
        "128 / 32 learned names": (vectors["learned N128"], vectors["learned N32"]),
        "128 / 32 fixed unit names": (vectors["unit N128"], vectors["unit N32"]),
        "orthonormal tables / any 4 of 32": (vectors["orthonormal"], main["N32 all"]),
        "Gaussian tables / any 4 of 32": (vectors["gaussian"], main["N32 all"]),
        "width 64 / 16, any 4 of 16": (widths["0 64"], widths["0 16"]),
        "width 64 / 16, 8 alphabets of 16": (widths["8 64"], widths["8 16"]),
        "three colours: any of 32 / 3 names": (three["N32 all"], three["N3"]),
    }


CONTROLS = {
    "equivariant": ("equivariant, 250 steps", "equivariant, 2000 steps"),
    "canonical renaming": ("canonical, 250 steps", "canonical, 2000 steps"),
    "4 names": ("N4, 250 steps", "N4"),
    "any 4 of 32 names": ("", "N32 all"),
    "bag of embeddings": ("", "bag, 2000 steps"),
}
"""Models that are invariant from the start, and others: their cells after few and after all steps.
"""


def controls_table(every: pd.DataFrame, n_steps: int) -> pd.DataFrame:
    """Return the shares of `CONTROLS` (`shares`, by cell): of, what (steps), missing, low, high."""
    labels = (f"{n_steps // 8} steps", f"{n_steps} steps")
    return pd.DataFrame(
        [
            {"of": name, "what": label} | every.loc[cell, ["missing", "low", "high"]].to_dict()
            for name, pair in CONTROLS.items()
            for label, cell in zip(labels, pair, strict=True)
            if cell
        ]
    )
