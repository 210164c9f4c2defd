"""Lexurn: what small autoregressive models learn from data whose generator is known.

Nothing heavy is imported here. Start from `lexurn.runs` (train or load one model),
`lexurn.predictors` (the exact references), `lexurn.tasks` (where data come from, and what a model
is compared with) and `lexurn.models`. Some names can be imported from here:
`lexurn.parameters` (names and values to settings), `lexurn.evaluation` and `lexurn.comparison`
(distances between predictors), `lexurn.figure` (a picture of a table, with its card) and
`lexurn.table` (a table for readers).
`lexurn.register` adds a task, a backbone or a vocabulary; `lexurn.set_threads` says how many CPU
threads to use.
"""

from typing import Any

from lexurn.base.version import __version__

__all__ = [
    "__version__",
    "comparison",
    "evaluation",
    "figure",
    "parameters",
    "register",
    "set_threads",
    "table",
]


def __getattr__(name: str) -> Any:
    """Import one of the short names when it is asked for."""
    if name == "figure":
        from lexurn.figures.figure_card import figure

        return figure
    if name == "table":
        from lexurn.figures.tables import show

        return show
    if name == "register":
        from lexurn.settings import register

        return register
    if name == "set_threads":
        from lexurn.base.threads import set_threads

        return set_threads
    if name == "parameters":
        from lexurn.settings import resolver

        return resolver
    if name in ("comparison", "evaluation"):
        from lexurn.measures import comparison, evaluation

        return {"comparison": comparison, "evaluation": evaluation}[name]
    raise AttributeError(f"module 'lexurn' has no attribute {name!r}")
