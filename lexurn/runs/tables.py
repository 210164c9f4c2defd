"""Tidy tables in the store: `RUNS/tables/<name>.csv`, which are read back as they were written.

The format is plain CSV with one rule: its first line quotes the names of text columns, but not
those of numbers and booleans. Row labels such as "0", "last" and "mean" therefore stay text. Floats
are written to the last digit; `nan` is a missing value, an empty field an empty text. CSV cannot
express every type: 32-bit numbers come back as 64-bit ones, whole numbers with missing values as
floats, and a missing text as NaN.
"""

import difflib
import re
from io import BytesIO
from pathlib import Path

import pandas as pd

from lexurn.base import files, paths, session
from lexurn.runs import store

MISSING = "nan"


def write_table(name: str, frame: pd.DataFrame) -> Path:
    """Store a table of numbers, booleans and text under a name, in place of any other, without its
    row numbers.

    Raises ValueError for a table that could not be read back.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"a table's name consists of letters, digits, dots, - and _, got {name!r}")
    path = paths.runs() / "tables" / f"{name}.csv"
    files.write(path, as_csv(frame))
    return path


def as_csv(frame: pd.DataFrame) -> str:
    """Return a table as text for `from_csv`. Raises ValueError if it could not be read back."""
    if list(frame.index.names) != [None] or frame.index.dtype.kind != "i":
        raise ValueError(f"rows of a table have numbers only, got {frame.index}; use reset_index()")
    if not len(frame) or not frame.columns.is_unique or frame.columns.inferred_type != "string":
        raise ValueError(
            f"a table has rows, and columns with different names, got {len(frame)} rows and the "
            f"columns {list(frame)}"
        )
    names = [f'"{column}"' if _is_text(frame[column]) else column for column in frame]
    if bad := [column for column in frame if re.search('[",\r\n]', column)]:
        raise ValueError(f"a column's name holds no quotes, commas or line ends, got {bad[0]!r}")
    doubles = frame.astype(dict.fromkeys(frame.select_dtypes("float32"), "float64"))
    return ",".join(names) + "\n" + doubles.to_csv(index=False, header=False, na_rep=MISSING)


def from_csv(content: bytes) -> pd.DataFrame:
    """Return the table that `as_csv` was given."""
    names = content.partition(b"\n")[0].decode().split(",")
    frame = pd.read_csv(BytesIO(content), dtype=str, na_filter=False, lineterminator="\n")
    columns = {}
    for column, name in zip(frame, names, strict=True):
        read = _read_texts if name.startswith('"') else _read_numbers
        columns[column] = read(frame[column].tolist())
    return pd.DataFrame(columns)


def read_table(name: str) -> pd.DataFrame:
    """Return a stored table: the user's own, else the published one.

    Raises FileNotFoundError, with similar names, if there is none.
    """
    path = store.stored(f"tables/{name}.csv")
    if path.exists():
        store.check(path)
        session.current().used_files.add(f"tables/{name}.csv")
        return from_csv(files.read(path.with_name(f"{name}.csv")))
    stored = [file for root in paths.roots() for file in (root / "tables").glob("*.csv*")]
    names = sorted({file.name.partition(".csv")[0] for file in stored})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
    hint = f"near: {', '.join(near)}" if near else "there are none yet; runs.write_table makes one"
    raise FileNotFoundError(f"no table {name} in {path.parent}; {hint}")


def _is_text(column: pd.Series) -> bool:
    kind = column.dtype.kind
    if kind in "iuf" or (kind == "b" and column.notna().all()):
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("string", "empty"):
        raise ValueError(
            "a column holds numbers, text, or booleans with none missing, got "
            f"{kind} in {column.name}"
        )
    if column.eq(MISSING).any():
        raise ValueError(
            f"{MISSING!r} in {column.name} would be read back as a missing value; use another word"
        )
    return True


def _read_texts(texts: list[str]) -> pd.Series:
    return pd.Series([None if text == MISSING else text for text in texts], dtype="str")


def _read_numbers(texts: list[str]) -> list[bool] | list[int] | list[float]:
    """Read numbers to the last bit, which pandas' own reader promises in some versions only."""
    if texts and set(texts) <= {"True", "False"}:
        return [text == "True" for text in texts]
    try:
        return [int(text) for text in texts]
    except ValueError:
        return [float(text) for text in texts]
