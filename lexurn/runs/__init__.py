"""Runs: from settings to a stored, trained model and back.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

`run` says what a run is, `fit` how one is trained, `recording` writes it, `store` finds it again,
`cache` holds tables of it, and `sweeps` trains many. Nothing is imported before it is asked for.
"""

from typing import Any

__all__ = [
    "Run",
    "delete",
    "find",
    "get",
    "is_stored",
    "load",
    "read_table",
    "table",
    "unfinished",
    "write_table",
]


def __getattr__(name: str) -> Any:
    """Import one of the public names when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'lexurn.runs' has no attribute {name!r}")
    from lexurn.runs import run

    return getattr(run, name)
