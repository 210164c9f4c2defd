"""Lexurn: what small autoregressive models learn from data whose generator is known.

Nothing heavy is imported here. Start from `lexurn.runs` (train or load one model), `lexurn.tasks` (generators),
`lexurn.predictors` (exact references), `lexurn.models` and `lexurn.divergences`. `lexurn.figure` shows a picture of a
table, with its card.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "figure":  # imported when it is asked for
        from lexurn.figures import figure

        return figure
    raise AttributeError(f"module 'lexurn' has no attribute {name!r}")
