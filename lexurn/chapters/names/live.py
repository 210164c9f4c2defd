"""What the explorable of names computes with (`names.js`): models of one urn, cell by cell."""

from collections.abc import Mapping
from math import comb
from typing import Any

import torch

from lexurn.base.seeding import generator
from lexurn.figures import explorables, packed_models
from lexurn.figures.live_urn import COLORS
from lexurn.figures.trainings import draw_walks
from lexurn.measures import plane
from lexurn.runs.run import Run

SPLIT = "in_distribution"
N_TABLES = 3  # of each kind that readers can deal
N_BALLS = 8  # of the sequence at the beginning


def live_names(
    runs: Mapping[str, Run],
    texts: Mapping[str, Mapping[str, str]],
    *,
    played: tuple[str, ...],
) -> dict[str, Any]:
    """Return the data of the explorable, from the runs of one urn by the names of their cells.

    `texts` has by cell what its models have captured, in words: captured and, where there are new
    alphabets, captured_new. The models of the cells `played` run in the page.
    """
    first = next(iter(runs.values()))
    walks = draw_walks({cell: run.metrics for cell, run in runs.items()}, first, SPLIT)
    cells = []
    for cell, run in runs.items():
        vocabulary, n_colors = run.settings.vocabulary, run.pool.shape[1]
        n_names = vocabulary.count_names(run.settings.backbone.d_model)
        n_all = comb(n_names, n_colors)
        n_alphabets = vocabulary.n_alphabets or n_all
        unit = "alphabet" if n_alphabets == 1 else "alphabets"
        cells.append(
            {
                "n_names": n_names,
                "n_alphabets": f"{'all ' * (n_alphabets == n_all > 1)}{n_alphabets} {unit}",
                "places": walks.loc[walks["who"] == cell, ["x", "y"]].round(5).values.tolist(),
                **texts[cell],
                **({"model": playable(run)} if cell in played else {}),
            }
        )
    names = {name: name for name in plane.CORNERS} | COLORS
    names |= {"trained": "lexical", "new": "permuted"}
    return {
        "colors": [*COLORS][: first.pool.shape[1]],
        "urns": first.pool.tolist(),
        "alpha": first.task.target.alpha,
        "balls": first.splits[SPLIT][0, :N_BALLS].tolist(),
        "seed": first.settings.training.seed,
        "steps": first.metrics["step"].tolist(),
        "corners": walks.loc[walks["mark"] == "corner", ["x", "y"]].round(5).values.tolist(),
        "looks": explorables.looks(names),
        "cells": cells,
    }


def playable(run: Run) -> dict[str, Any]:
    """Return a model as the page runs it, with tables of its own alphabets and, if any, new ones.

    A table has the numbers of the names, and their vectors.
    """
    vocabulary, stream = run.model.vocabulary, generator(run.settings.training.seed, "dealt")
    drawn = {"trained": vocabulary.draw(N_TABLES, generator=stream)}
    if vocabulary.has_new_tables:
        drawn["new"] = vocabulary.draw_new(N_TABLES, generator=stream)
    tokens = torch.arange(run.model.vocab_size)[None]
    packed = packed_models.pack(run.model, run.settings, n_tables=1)
    tables = {
        kind: [
            {
                "names": table[0].argmax(-1).tolist(),
                "vectors": packed_models.encode(vocabulary.embed(tokens, table)),
            }
            for table in tables.split(1)
        ]
        for kind, tables in drawn.items()
    }
    return {**packed, "tables": tables}
