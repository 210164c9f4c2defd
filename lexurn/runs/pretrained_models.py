"""Pretrained models: published runs with weights, under names that stay.

    runs.pretrained()                  a table of all names
    runs.pretrained("urns/lexical")    that run; its `model` and `predictor` need no training

`params/pretrained.yaml` lists them. The settings there lead to the run, so a run of the own store
with these settings comes before the published one. Wherever a run is named, these names can be
used too, for example in `lexurn export urns/lexical`.
"""

from contextlib import suppress
from typing import Any

import pandas as pd

from lexurn import models
from lexurn.base import files, paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.runs import contents, listing, store
from lexurn.runs.run import Run, load
from lexurn.settings import Settings


def pretrained(name: str | None = None) -> Run | pd.DataFrame:
    """Return the run of a pretrained model, or without a name a table of all pretrained models.

    Columns of the table: name, about (what it is), parameters (their number), loss (the lowest
    validation loss, in nats), and shown (a chapter). Parameters and loss are missing where the
    weights are. Raises ParameterError for an unknown name, and StoreError if the weights are
    missing, for example with `LEXURN_FRESH`, or were altered.
    """
    entries = store.pretrained_entries()
    if name is None:
        return pd.DataFrame([_row(name, entry) for name, entry in entries.items()])
    if name not in entries:
        raise ParameterError(
            f"no pretrained model {name!r}; {suggestion(name, entries)}"
            "runs.pretrained() lists those there are"
        )
    flat = entries[name]["settings"]
    folder = store.finished_folder(Settings.from_flat(flat).name)
    if folder is None or not contents.locate(folder, store.WEIGHTS).exists():
        raise files.StoreError(
            f"the weights of {name} are not in {' or '.join(map(str, paths.roots()))}; this trains "
            f"the model: runs.get({flat}).model"
        )
    return load(folder)


def _row(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    row = {"name": name, "about": entry["about"], "parameters": pd.NA, "loss": pd.NA}
    with suppress(files.StoreError):
        run = pretrained(name)
        row |= {"parameters": models.summary(run.model)["all"], "loss": listing.best(run)[1]}
    return row | {"shown": entry["shown"]}
