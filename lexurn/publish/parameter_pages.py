"""The generated pages on parameters: all of them, and a cheat sheet of those that people change."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lexurn.publish import dependencies
from lexurn.publish.cards import as_code, as_text
from lexurn.publish.pages import table_rows
from lexurn.settings import flat_names, names

PARAMETERS = """# Parameters

Every parameter of chapters and runs. A chapter shows the few that its readers are likely to change;
all others are accepted in the same ways: `-p name value` and `-f file.yaml` of papermill, and
`runs.get({"name": value})` in Python. `lexurn parameters --task urns` lists them in a terminal.
Unknown names, and values that are not allowed, are refused before anything runs. The
[cheat sheet](cheat_sheet.md) lists the parameters that chapters show.

"""

CHEAT_SHEET = """# Cheat sheet

The parameters that chapters show, because readers are likely to change them. Every chapter accepts
the other parameters of the page [Parameters](parameters.md) too, if they make sense there. That
page also says which values are allowed. All commands have the form

```bash
papermill book/02_train.ipynb out.ipynb -p lex True -p n_steps 2000
```

| in the terminal | in Python | in a file |
| --- | --- | --- |
| `-p lex True` | `runs.get({"lex": True})` | `lex: true` in `my.yaml`, and `-f my.yaml` |

"""

TITLES = {
    "task": "What a model learns from",
    "backbone": "The model",
    "vocabulary": "The model",
    "training": "Training",
    "machine": "The machine",
    "study": "The size of an experiment",
}
"""Headings of the cheat sheet, by the section of the settings that a parameter belongs to."""


def parameters_page() -> str:
    """Return the page that lists all parameters."""
    return PARAMETERS + _table(names.parameters())


def cheat_sheet_page(sources: Sequence[Path]) -> str:
    """Return the page of the parameters that chapters show; `sources` are the chapters' files."""
    shown = {source.stem: dependencies.shown_parameters(source) for source in sources}
    rows: dict[str, list[dict[str, str]]] = {title: [] for title in TITLES.values()}
    for row in names.parameters():
        if chapters := [stem[:2] for stem, cell in shown.items() if row["name"] in cell]:
            columns = {name: row[name] for name in ("name", "meaning", "default")}
            columns["chapters"] = ", ".join(chapters)
            rows[TITLES[flat_names()[row["name"]]]].append(columns)
    tables = (f"## {title}\n\n{_table(part)}" for title, part in rows.items() if part)
    return CHEAT_SHEET + "\n".join(tables)


def _table(rows: Iterable[Mapping[str, str]]) -> str:
    rows = list(rows)
    heading = f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}\n"
    codes = ("name", "type", "default")
    return heading + table_rows(
        [as_code(cell) if name in codes else as_text(cell) for name, cell in row.items()]
        for row in rows
    )
