"""Tables of single runs, cached under a name and the run's key; and scorers, which grids name.

    # params/sweeps/mine.yaml
    score: lexurn.chapters.rules.scores:rule_scores

A scorer is a function that takes a run and returns a table. `lexurn sweep` calls it in the worker
that has trained a point, and appends its rows to the grid's table. It is a function of this
library, or of a package that has registered a task, a backbone or a vocabulary, so that a grid file
cannot call anything else. Its tables are named after the code of this library that computes them,
so that they are computed again when the code changes. A scorer of another package needs a new name
when it changes.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import FunctionType

import pandas as pd

from lexurn import runs
from lexurn.base import session, sources
from lexurn.base.errors import ParameterError
from lexurn.base.threads import threads
from lexurn.runs import store
from lexurn.settings import Settings, registry

Compute = Callable[["runs.Run"], pd.DataFrame]
"""A function that other processes can import."""


def load_scorer(name: str) -> Compute:
    """Return the scorer that is called `module:function`.

    Raises ParameterError unless it is a function of an allowed package that is annotated to return
    a `pd.DataFrame`.
    """
    modules = [target.partition(":")[0] for *_, target in registry.outside_entries()]
    packages = list(dict.fromkeys(["lexurn", *(module.split(".")[0] for module in modules)]))
    module, _, function = name.partition(":")
    scorer = None
    if module.split(".")[0] in packages and function and "__" not in name:
        with suppress(ImportError, AttributeError):
            scorer = registry.load_object(name)
    is_own = isinstance(scorer, FunctionType) and scorer.__module__ == module
    if not is_own or scorer.__annotations__.get("return") is not pd.DataFrame:
        raise ParameterError(
            f"score must name a function of {' or '.join(packages)} that takes a run and returns a "
            f"pandas DataFrame, as module:function, got {name!r}; use for example "
            "lexurn.chapters.rules.scores:rule_scores"
        )
    return scorer


def score_run(score: str, run: "runs.Run") -> None:
    """Compute and cache the table of a scorer for a run, unless it is cached."""
    if not is_scored(score, run.settings):
        make_table(load_scorer(score), _scores_name(score), run.path.name)


def is_scored(score: str, settings: Settings) -> bool:
    return is_cached(_scores_name(score), settings)


def read_scores(score: str, settings: Settings) -> pd.DataFrame:
    """Return the cached table of a scorer, with booleans as 0 and 1."""
    table = runs.read_table(table_name(_scores_name(score), settings))
    return table.astype(dict.fromkeys(table.select_dtypes("bool"), "int"))


def make_table(compute: Compute, name: str, run_name: str) -> None:
    """Compute the table of a run and cache it, with five significant digits.

    It has a session of its own, so that the caller's session does not count the run's files as
    used: the caller's results depend on the table alone.
    """
    with session.fresh():
        run = runs.load(run_name)
        with threads(run.settings.machine.threads):
            table = compute(run)
    numbers = table.select_dtypes("float")
    table[numbers.columns] = numbers.map(lambda value: float(f"{value:.5g}"))
    runs.write_table(table_name(name, run.settings), table)


def table_name(name: str, settings: Settings) -> str:
    """Return the name under which the table of the run with these settings is cached."""
    return f"{name}-{settings.key}"


def is_cached(name: str, settings: Settings) -> bool:
    return store.stored(f"tables/{table_name(name, settings)}.csv").exists()


@cache
def _scores_name(score: str) -> str:
    return f"{score.partition(':')[2]}-{sources.code_hash(score)}"
