"""Tables for readers: the only way in which a chapter shows one.

    tables.show(scores, {"model": "model", "loss": "loss (nats a token)"}, caption="Losses.")

A table has six columns at most, with names and units for people, and numbers of three significant
digits. Long tables are folded and can be filtered; all can be downloaded as CSV, in full precision.
"""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.wording import format_number, format_with_error

MAX_COLUMNS = 6
MAX_ROWS = 12
"""The number of rows from which on a table is folded."""


@dataclass(frozen=True)
class Link:
    """A cell that is a link to a page of the book, such as `04_analysis`."""

    text: str
    page: str

    def __str__(self) -> str:
        return self.text


FILTER = (
    '<label>Filter rows: <input type="search" oninput="for (const row of this.closest(\'details\')'
    ".querySelectorAll('tbody tr')) row.hidden = !row.textContent.toLowerCase()"
    '.includes(this.value.toLowerCase())"></label>'
)


@dataclass(frozen=True)
class Table:
    """The texts of a table by its labels, which of them are best, and the numbers as CSV."""

    texts: pd.DataFrame
    is_best: pd.DataFrame
    caption: str
    name: str
    csv: str

    def _repr_html_(self) -> str:
        heads = "".join(f'<th scope="col">{html.escape(label)}</th>' for label in self.texts)
        rows = ""
        for texts, marks in zip(self.texts.to_numpy(), self.is_best.to_numpy(), strict=True):
            cells = [
                f"<strong>{_as_html(text)}</strong>" if is_best else _as_html(text)
                for text, is_best in zip(texts, marks, strict=True)
            ]
            values = "".join(f"<td>{cell}</td>" for cell in cells[1:])
            rows += f'<tr><th scope="row">{cells[0]}</th>{values}</tr>'
        caption = html.escape(self.caption)
        table = (
            f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
        if len(self.texts) > MAX_ROWS:
            label = f"{caption or 'Table'} ({len(self.texts)} rows)"
            table = f"<details><summary>{label}</summary>{FILTER}{table}</details>"
        data = base64.b64encode(self.csv.encode()).decode()
        name = html.escape(self.name)
        link = f'<a download="{name}.csv" href="data:text/csv;base64,{data}">CSV</a>'
        return f'<div class="lexurn-table tex2jax_ignore mathjax_ignore">{table}{link}</div>'

    def __repr__(self) -> str:
        table = self.texts.to_string(index=False)
        return f"{self.caption}\n{table}" if self.caption else table


def show(table: pd.DataFrame, columns: Mapping[str, str] | None = None, **options: Any) -> None:
    """Show a table; the arguments are those of `build`."""
    from IPython.display import display

    display(build(table, columns, **options))


def build(
    table: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    *,
    caption: str = "",
    nearest: Sequence[str] = (),
    floor: float = -inf,
    name: str = "table",
) -> Table:
    """Return a table for readers. Cells are numbers, texts, links, or pairs (mean, standard error).

    columns    the columns that are shown, each with its label; by default all, and the index if it
               has a name or texts
    caption    what the table shows; by default the name of its columns
    nearest    columns that hold distances: the least of each row is bold
    floor      of a number below it, the table only says that it is below

    A missing value is `undetermined`. Raises ParameterError for more than `MAX_COLUMNS` columns,
    and for a column that does not exist.
    """
    caption = caption or (str(table.columns.name or "") if table.columns.nlevels == 1 else "")
    if table.index.names != [None] or table.index.inferred_type == "string":
        is_named = table.index.nlevels > 1 or table.index.name is not None
        table = table.reset_index(names=None if is_named else "of")
    if table.columns.nlevels > 1:
        table = table.set_axis([", ".join(filter(None, map(str, c))) for c in table], axis=1)
    columns = columns or {column: str(column).replace("_", " ") for column in table}
    if unknown := [column for column in [*columns, *nearest] if column not in table]:
        raise ParameterError(
            f"table {name}: it has no column {unknown[0]}; "
            f"{suggestion(unknown[0], table.columns)}it has {', '.join(map(str, table))}"
        )
    if len(columns) > MAX_COLUMNS:
        raise ParameterError(
            f"table {name}: {len(columns)} columns, over {MAX_COLUMNS}; choose the ones that "
            'readers need by columns={"name": "label"}'
        )
    numbers = table[[*columns]].map(lambda cell: cell[0] if isinstance(cell, tuple) else cell)
    is_best = pd.DataFrame(False, table.index, [*columns])
    if nearest:
        distances = numbers[[*nearest]].astype(float)
        is_best[[*nearest]] = distances.eq(distances.min(axis=1), axis=0)
    texts = {}
    for column, label in columns.items():
        texts[label] = [
            f"below {format_number(floor)}"
            if isinstance(number, Real) and number < floor
            else (cell if isinstance(cell, Link) else _format(cell))
            for cell, number in zip(table[column], numbers[column], strict=True)
        ]
    exact = numbers.rename(columns=columns)
    return Table(pd.DataFrame(texts), is_best, caption, name, exact.to_csv(index=False))


def _as_html(cell: str | Link) -> str:
    text = html.escape(str(cell))
    is_link = isinstance(cell, Link)
    return f'<a href="{html.escape(cell.page)}.html">{text}</a>' if is_link else text


def _format(cell: Any) -> str:
    if isinstance(cell, tuple):
        return format_with_error(*map(float, cell))
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "no"
    if isinstance(cell, Real):
        return format_number(float(cell))
    return "undetermined" if cell is None else str(cell) or "–"
