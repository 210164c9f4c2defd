"""Select and sort the runs of a table by what was typed, and write the table as text."""

import operator
import re
import shutil
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.wording import duration, format_with_error
from lexurn.cli.stored import N_DIGITS
from lexurn.settings import KINDS, flat_names, names, resolver

OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

# What columns of `runs.table` are called at a terminal. Other columns keep their names.
HEADERS = {
    "name": "run",
    "best_step": "step",
    "validation_loss": "loss",
    "d_generalizing": "d_G",
    "d_memorizing": "d_M",
    "d_symmetrized": "d_S",
    "seconds": "duration",
}

# How the values of a column are written. In other columns it is by `str`.
FORMATS: dict[str, Callable[[Any], str]] = {
    "name": lambda name: name[-12:][:N_DIGITS],
    "validation_loss": "{:.4f}".format,
    "seconds": duration,
    "finished": lambda text: f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}",
    "published": lambda is_published: "yes" if is_published else "",
}

# The order in which a narrow terminal omits columns: settings, distances (1), and then these.
RANKS = {"seed": 2, "kind": 3, "seconds": 4, "best_step": 5, "validation_loss": 6}


def find_column(name: str, table: pd.DataFrame) -> str:
    """Return the column of `runs.table` that has this name or this header, in any case.

    Raises ParameterError, with a similar name, if there is none.
    """
    columns = {HEADERS.get(column, column).lower(): column for column in table}
    column = columns.get(name.lower(), name)
    if column not in table:
        results = [
            HEADERS.get(each, each)
            for each in table
            if each not in flat_names() and each[-4:] != "_sem"
        ]
        raise ParameterError(
            f"no column or setting is called {name}; "
            f"{suggestion(names.ABBREVIATIONS.get(name, name), [*results, *flat_names()])}"
            f"columns: {', '.join(results)}; `lexurn parameters` lists the settings"
        )
    return column


def filter_runs(table: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return the runs that meet a condition such as `lex=True`, `n_steps>10` or `d_G<0.1`.

    A run that lacks the setting meets no condition on it. Raises ParameterError.
    """
    match = re.fullmatch(r"(\w+)\s*(=|!=|<=|<|>=|>)\s*([^=<>!].*|)", condition)
    if not match:
        raise ParameterError(
            f"a condition is given as name=value, or with another of {' '.join(OPERATORS)}, for "
            "example lex=True or 'n_steps>10' (in quotes, because the shell takes < and > for "
            f"itself), got {condition}"
        )
    name, sign, value = match.groups()
    column = find_column(name, table)
    present = table[column].dropna()
    is_equality = sign in ("=", "!=")
    wanted: Any = value
    if column in flat_names() and is_equality:
        wanted = resolver.check_each({column: value})[column]
    elif column == "kind" and not (is_equality and value in KINDS):
        raise ParameterError(f"kind takes = or != and one of {', '.join(KINDS)}, got {condition}")
    elif column != "kind":
        wanted = pd.to_numeric(value, errors="coerce")
        present = present[[type(each) in (int, float) for each in present]]  # alpha may be a list
        if pd.isna(wanted) or (
            column in flat_names()
            and names.schema_of(column).get("type", "number") not in ("integer", "number")
        ):
            raise ParameterError(
                f"{sign} compares numbers here, got {condition}; other settings take = and !="
            )
    is_met = present.map(lambda each: OPERATORS[sign](each, wanted)).astype(bool)
    return table.loc[is_met.index[is_met]]


def parse_time(text: str) -> str:
    """Return the time that a date, or a span back from now such as `3h`, means: UTC in ISO 8601.

    A date without a time zone is local. Raises ParameterError.
    """
    hours = {"h": 1, "d": 24}.get(text[-1:])
    try:
        time = (
            datetime.now(UTC) - timedelta(hours=hours * float(text[:-1]))
            if hours
            else datetime.fromisoformat(text)
        )
        return time.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise ParameterError(
            "--since takes a date such as 2026-11-29, or a time back from now such as 2d or 3h, "
            f"got {text}"
        ) from None


def sort_runs(table: pd.DataFrame, column: str, *, descending: bool) -> pd.DataFrame:
    """Return the table sorted by a column, missing values last; equal ones keep their order."""
    return table.sort_values(
        column,
        ascending=not descending,
        kind="stable",
        key=lambda values: values.map(
            # Numbers can be compared with the lists of numbers that alpha has too.
            lambda value: value if isinstance(value, list) else [value],
            na_action="ignore",
        ),
    )


def format_table(table: pd.DataFrame, n_rows: int, columns: list[str], sorted_by: str) -> str:
    """Return one line for each of the first runs, no wider than the terminal, and what is omitted.

    Without `columns`, these are the results and the settings that differ, of which the one that the
    table is `sorted_by` is omitted last.
    """
    part = table[:n_rows]
    if not columns:
        differing = [
            name
            for name in sorted(flat_names(), key=lambda name: name != sorted_by)
            if name not in ("seed", "lex", "label_permuted")
            and part[name].astype(str).nunique() > 1
        ]
        measured = [name for name in part if f"{name}_sem" in part and part[name].notna().any()]
        columns = [
            *("name", "kind", "seed", *differing, "best_step", "validation_loss", *measured),
            *("seconds", "finished", *["published"] * any(part["published"])),
        ]
    texts = {HEADERS.get(name, name): _format_column(part, name) for name in columns}
    widths = {header: max(map(len, [header, *texts[header]])) + 1 for header in texts}
    omitted: list[str] = []
    width = shutil.get_terminal_size((140, 24)).columns
    for name in sorted(columns[:0:-1], key=lambda name: RANKS.get(name, f"{name}_sem" in table)):
        if sum(widths.values()) > width:
            omitted.append(HEADERS.get(name, name))
            del widths[omitted[-1]]
    more = f"and {len(table) - n_rows:,} more (--all shows all of them, --limit N shows N)"
    note = f"no room for {', '.join(omitted)} (--columns a,b chooses, --csv has everything)"
    notes = [more] * (len(table) > n_rows) + [textwrap.fill(note, width)] * bool(omitted)
    return "\n".join([pd.DataFrame(texts)[list(widths)].to_string(index=False), *notes])


def _format_column(table: pd.DataFrame, name: str) -> list[str]:
    """Return the values of a column as texts, with their errors, empty where they are missing."""
    if f"{name}_sem" in table:
        return [
            "" if pd.isna(mean) else format_with_error(mean, sem).replace(" ± ", "±")
            for mean, sem in table[[name, f"{name}_sem"]].to_numpy(float)
        ]
    texts = table[name].astype(object).map(FORMATS.get(name, str), na_action="ignore")
    return list(texts.fillna(""))
