"""Runs: from settings to a stored, trained model and back.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

`run` defines a run, `fit` trains one, `recording` writes it, `store` finds it, `listing` lists all,
`sharing` takes runs from one store to another, `pretrained_models` names published ones, `tables`,
`scoring` and `cache` keep tables beside the runs, and `sweeps` trains grids of runs. Modules are
imported when they are used, because the store can be read without torch.
"""

from typing import Any

__all__ = [
    "Run",
    "delete",
    "export",
    "find",
    "get",
    "import_",
    "is_stored",
    "load",
    "pretrained",
    "read_table",
    "table",
    "unfinished",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lexurn.runs' has no attribute {name!r}")
    from lexurn.runs import listing, pretrained_models, run, sharing, store, tables

    sources = vars(store) | vars(tables) | vars(listing) | vars(sharing) | vars(pretrained_models)
    return (sources | vars(run))[name]
