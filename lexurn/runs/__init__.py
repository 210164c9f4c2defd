"""Runs: from settings to a stored, trained model and back.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

`run` defines a run, `fit` trains one, `recording` writes it, `store` finds it, `cache` computes
tables of runs once, and `sweeps` trains grids of runs. Modules are imported when they are used.
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
    if name not in __all__:
        raise AttributeError(f"module 'lexurn.runs' has no attribute {name!r}")
    from lexurn.runs import listing, run

    return listing.table if name == "table" else getattr(run, name)
