"""Tidy tables in the store: `RUNS/tables/<name>.csv`, which are read back as they were written.

The format is plain CSV with one rule: its first line quotes the names of text columns, but not
those of numbers and booleans. Row labels such as "0", "last" and "mean" therefore stay text. Floats
are written to the last digit; `nan` is a missing value, an empty field an empty text. CSV cannot
express every type: 32-bit numbers come back as 64-bit ones, whole numbers with missing values as
floats, and a missing text as NaN.
"""

import re
from io import BytesIO
from pathlib import Path

import pandas as pd

from lexurn.base import files, paths, session
from lexurn.base.errors import suggestion
from lexurn.runs import integrity, store

MISSING = "nan"

NAME = re.compile(r"\w[\w.-]*")
"""What a table may be called."""

EXACT = {} if pd.__version__ >= "3.1" else {"float_precision": "round_trip"}
"""How pandas reads floats to the last bit; from version 3.1 on, it does so by itself."""


def write_table(name: str, frame: pd.DataFrame) -> Path:
    """Store a table of numbers, booleans and text under a name, in place of any other, without its
    row numbers.

    Raises ValueError for a table that could not be read back.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"a table's name consists of letters, digits, dots, - and _, got {name!r}")
    path = paths.runs() / "tables" / f"{name}.csv"
    text = as_csv(frame)
    checksums = _checksums(path)
    previous = checksums.read_bytes().split()[:1] if checksums.exists() else []
    # With both, the table is valid if the process is killed between the two files.
    files.write(checksums, b"\n".join([files.hash_bytes(text.encode()).encode(), *previous]))
    files.write(path, text)
    return path


def as_csv(frame: pd.DataFrame) -> str:
    """Return a table as text for `from_csv`. Raises ValueError if it could not be read back."""
    if list(frame.index.names) != [None] or frame.index.dtype.kind != "i" or not len(frame):
        raise ValueError(f"a table has rows with numbers, got {frame.index}; use reset_index()")
    if not frame.columns.is_unique or any(re.search('[",\r\n]', str(name)) for name in frame):
        raise ValueError(
            "columns of a table have different names without quotes, commas and line ends, got "
            f"{list(frame)}"
        )
    names = [f'"{column}"' if _is_text(frame[column]) else column for column in frame]
    doubles = frame.astype(dict.fromkeys(frame.select_dtypes("float32"), "float64"))
    return ",".join(names) + "\n" + doubles.to_csv(index=False, header=False, na_rep=MISSING)


def from_csv(content: bytes) -> pd.DataFrame:
    """Return the table that `as_csv` was given."""
    names = content.partition(b"\n")[0].decode().split(",")
    texts = [name.strip('"') for name in names if name.startswith('"')]
    table = pd.read_csv(
        BytesIO(content),
        dtype=dict.fromkeys(texts, "str"),
        keep_default_na=False,
        na_values=[MISSING],
        lineterminator="\n",
        **EXACT,
    )
    return table.copy()  # in one piece, to which columns can be added


def read_table(name: str) -> pd.DataFrame:
    """Return a stored table: the user's own, else the published one.

    Raises FileNotFoundError, with similar names, if there is none, and StoreError if its file was
    altered.
    """
    content = read_bytes(name)
    session.current().used_files.add(f"tables/{name}.csv")
    return from_csv(content)


def read_bytes(name: str) -> bytes:
    """Return the content of a stored table's file; see `read_table`."""
    path = store.stored(f"tables/{name}.csv")
    if NAME.fullmatch(name) and path.exists():
        integrity.check_published(path)
        content = files.read(path.with_name(f"{name}.csv"))
        checksums = _checksums(path)
        known = checksums.read_bytes().split() if checksums.exists() else []
        if checksums.exists() and files.hash_bytes(content).encode() not in known:
            raise files.StoreError(
                f"{path} was altered after it was written; delete it and {checksums.name}, and "
                "compute the table again"
            )
        return content
    stored = [file for root in paths.roots() for file in (root / "tables").glob("[!.]*.csv*")]
    hint = suggestion(name, [file.name.partition(".csv")[0] for file in stored])
    raise FileNotFoundError(f"no table {name} in {path.parent}; {hint}runs.write_table makes one")


def _checksums(path: Path) -> Path:
    """Return the path of the checksums of a table's present and previous content."""
    return path.with_name(f".{path.name}.sha256")


def _is_text(column: pd.Series) -> bool:
    kind = column.dtype.kind
    if kind in "iuf" or (kind == "b" and column.notna().all()):
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("string", "empty") or column.eq(MISSING).any():
        raise ValueError(
            "a column holds numbers, booleans with none missing, or texts but not "
            f"{MISSING!r}, got {kind} in {column.name}"
        )
    return True
