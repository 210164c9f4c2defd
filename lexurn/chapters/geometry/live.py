"""Similarities of a prompt's tokens along training, packed for figures and for the page.

pack_prompts(run, prompts)       a table of all cosines, one row per prompt, step and layer
unpack_cosines(table)            the same as a tidy table, a row per pair
similarity_data(tables, …)       what `book/assets/explorables/tokens.js` shows
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from lexurn.chapters.geometry import layers, trajectories
from lexurn.chapters.geometry.prompts import encode_prompts
from lexurn.runs.run import Run

SCALE = 127
"""The byte that stands for a cosine of 1."""


def pack_prompts(run: Run, prompts: Sequence[str]) -> pd.DataFrame:
    """Return prompt (its index), step, layer, n (tokens), cosines, at the beginning and at every
    checkpoint.

    `cosines` holds the pairs (1, 0), (2, 0), (2, 1), (3, 0), … as signed bytes in base64, rounded
    to 1/127. The norm behind the last block is one more layer.
    """
    sequences = encode_prompts(run.settings, prompts)
    rows = []
    for step, model in trajectories.snapshots(run):
        for number, tokens in enumerate(sequences):
            vectors = layers.token_vectors(model, tokens, last_norm=True)
            for layer, x in enumerate(vectors):
                unit = torch.nn.functional.normalize(x, dim=-1)
                first, second = torch.tril_indices(len(x), len(x), -1)
                cosines = (unit @ unit.T)[first, second]
                packed = (SCALE * cosines).round().to(torch.int8).numpy().tobytes()
                row = {"prompt": number, "step": step, "layer": layer, "n": len(x)}
                rows.append(row | {"cosines": base64.b64encode(packed).decode()})
    return pd.DataFrame(rows)


def unpack_cosines(table: pd.DataFrame) -> pd.DataFrame:
    """Return prompt, step, layer, first, second, value for all pairs, in both orders."""
    parts = []
    for row in table.itertuples():
        values = np.frombuffer(base64.b64decode(row.cosines), np.int8) / SCALE
        matrix = np.zeros((row.n, row.n))
        matrix[np.tril_indices(row.n, -1)] = values
        matrix = matrix + matrix.T + np.eye(row.n)
        parts.append(_tidy(matrix).assign(prompt=row.prompt, step=row.step, layer=row.layer))
    return pd.concat(parts, ignore_index=True)


def similarity_data(
    tables: Mapping[str, pd.DataFrame], names: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return the data of the explorable; `tables` are those of `pack_prompts` by their titles.

    Only layers that all models have are shown. `names` has the tokens of each prompt.
    """
    last_layer = min(table["layer"].max() for table in tables.values())
    first = next(iter(tables.values()))
    steps = sorted(int(step) for step in first["step"].unique())
    cosines = []
    for prompt in range(len(names)):
        packed = []
        for table in tables.values():
            part = table[(table["prompt"] == prompt) & (table["layer"] <= last_layer)]
            part = part.sort_values(["step", "layer"])
            content = b"".join(base64.b64decode(text) for text in part["cosines"])
            packed.append(base64.b64encode(content).decode())
        cosines.append(packed)
    return {
        "prompts": [list(tokens) for tokens in names],
        "models": list(tables),
        "layers": ["embeddings", *(f"block {n}" for n in range(1, last_layer + 1))],
        "steps": steps,
        "cosines": cosines,
    }


def _tidy(matrix: np.ndarray) -> pd.DataFrame:
    first, second = np.indices(matrix.shape)
    columns = {"first": first.ravel(), "second": second.ravel(), "value": matrix.ravel()}
    return pd.DataFrame(columns)
