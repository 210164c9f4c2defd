"""Tidy tables in the store: `RUNS/tables/<name>.csv`, read back as they were written.

A plain CSV with one rule: in its first line the names of text columns are quoted, those of numbers and booleans are
not. So row labels such as "0", "last" and "mean" stay text. Floats are written to the last digit; `nan` is a missing
value, an empty field an empty text. What CSV cannot tell apart is lost: 32-bit numbers come back as 64-bit ones, whole
numbers with missing values as floats, a missing text as NaN.
"""

import difflib
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lexurn.base import files, paths, session
from lexurn.runs import store

MISSING = "nan"


def write_table(name: str, frame: pd.DataFrame) -> Path:
    """Store a table of numbers, booleans and text under a name; what had that name before is replaced.

    The row numbers are not stored. Raises ValueError for what cannot be read back.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"a table's name consists of letters, digits, dots, - and _, got {name!r}")
    path = paths.runs() / "tables" / f"{name}.csv"
    content = as_csv(frame)
    with files.store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)
    return path


def as_csv(frame: pd.DataFrame) -> str:
    """A table as the text that `from_csv` reads back. Raises ValueError for what cannot be read back."""
    if list(frame.index.names) != [None] or frame.index.dtype.kind != "i":
        raise ValueError(
            f"the lines of a table have no names but their numbers, got {frame.index}; use reset_index()"
        )
    if (
        not len(frame)
        or not frame.columns.is_unique
        or not all(isinstance(column, str) for column in frame)
    ):
        raise ValueError(
            f"a table has lines, and columns with names of their own, got {list(frame)} x {len(frame)}"
        )
    names = [f'"{column}"' if _is_text(frame[column]) else str(column) for column in frame]
    if bad := [column for column in frame if re.search('[",\r\n]', str(column))]:
        raise ValueError(f"a column's name holds no quotes, commas or line ends, got {bad[0]!r}")
    single = frame.select_dtypes("float32")
    lines = frame.astype(dict.fromkeys(single, "float64")).to_csv(
        index=False, header=False, na_rep=MISSING
    )
    return ",".join(names) + "\n" + lines


def from_csv(content: bytes) -> pd.DataFrame:
    """A table as it was before `as_csv`."""
    header = content.partition(b"\n")[0].decode().split(",")
    frame = pd.read_csv(BytesIO(content), dtype=str, na_filter=False, lineterminator="\n")
    columns = {}
    for column, given in zip(list(frame), header, strict=True):
        read = _texts if given.startswith('"') else _numbers
        columns[column] = read(frame[column].tolist())
    return pd.DataFrame(columns)


def wide(values: ArrayLike) -> pd.DataFrame:
    """A matrix as a table: a line a row, and a column for each of its columns, named "0", "1" and so on."""
    return pd.DataFrame(np.asarray(values)).rename(columns=str)


def read_table(name: str) -> pd.DataFrame:
    """A stored table, one's own before a published one. Raises FileNotFoundError, with the near names."""
    folders = [root / "tables" for root in paths.roots()]
    for folder in folders:
        path = folder / f"{name}.csv"
        for there in (path, path.with_name(f"{path.name}.gz")):  # as written, as published
            if there.exists():
                store.check(there)
                session.current().used_files.add(f"tables/{path.name}")
                return from_csv(files.read(path))
    there = sorted(
        {path.name.partition(".csv")[0] for folder in folders for path in folder.glob("*.csv*")}
    )
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.4) or there[:5]
    hint = f"near: {', '.join(near)}" if near else "there are none yet; runs.write_table makes one"
    raise FileNotFoundError(f"no table {name} in {folders[0]}; {hint}")


def _is_text(column: pd.Series) -> bool:
    kind = column.dtype.kind
    if kind in "iuf" or (kind == "b" and column.notna().all()):
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("string", "empty"):
        raise ValueError(
            f"a column holds numbers, text, or booleans with none missing, got {kind} in {column.name}"
        )
    if column.eq(MISSING).any():
        raise ValueError(
            f"{MISSING!r} in {column.name} would be read back as a missing value; use another word"
        )
    return True


def _texts(texts: list[str]) -> pd.Series:
    return pd.Series([None if text == MISSING else text for text in texts], dtype="str")


def _numbers(texts: list[str]) -> list[bool] | list[int] | list[float]:
    """To the last bit, which pandas' own reader promises in some versions only."""
    if texts and set(texts) <= {"True", "False"}:
        return [text == "True" for text in texts]
    try:
        return [int(text) for text in texts]
    except ValueError:
        return [float(text) for text in texts]
