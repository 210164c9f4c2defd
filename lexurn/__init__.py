"""Lexurn: what small autoregressive models learn from data whose generator is known.

Nothing heavy is imported here. Start from `lexurn.runs` (train or load one model),
`lexurn.predictors` (the exact references), `lexurn.tasks` (where data come from, and what a model
is compared with) and `lexurn.models`. Some names can be imported from here:
`lexurn.parameters` (names and values to settings), `lexurn.evaluation` and `lexurn.comparison`
(distances between predictors), `lexurn.figure` (a picture of a table, with its card),
`lexurn.explorable` (a figure that computes in the page), `lexurn.table` (a table for readers) and
`lexurn.brief` (the box at the top of a chapter). `lexurn.register` adds a task, a backbone or a
vocabulary; `lexurn.set_threads` says how many CPU threads to use.
"""

from typing import Any

from lexurn.base.version import __version__

PLACES = {
    "brief": "lexurn.figures.boxes:brief",
    "comparison": "lexurn.measures.comparison",
    "evaluation": "lexurn.measures.evaluation",
    "explorable": "lexurn.figures.explorables:explorable",
    "figure": "lexurn.figures.figure_card:figure",
    "parameters": "lexurn.settings.resolver",
    "register": "lexurn.settings.registry:register",
    "set_threads": "lexurn.base.threads:set_threads",
    "table": "lexurn.figures.tables:show",
}
__all__ = ["__version__", *PLACES]


def __getattr__(name: str) -> Any:
    """Import one of the short names when it is asked for."""
    if name not in PLACES:
        raise AttributeError(f"module 'lexurn' has no attribute {name!r}")
    from lexurn.settings.registry import load_object

    return load_object(PLACES[name])
