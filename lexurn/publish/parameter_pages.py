"""The generated pages on parameters: all of them, and the cheat sheet of those that people change."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lexurn.publish import dependencies
from lexurn.publish.cards import as_code, as_text
from lexurn.publish.pages import table_rows
from lexurn.settings import names

PARAMETERS = """# Parameters

Every parameter of chapters and runs. A chapter shows the few that its readers are likely to change;
all others are accepted in the same ways: `-p name value` and `-f file.yaml` of papermill, and
`runs.get({"name": value})` in Python. `lexurn parameters --task urns` lists them in a terminal.
Unknown names, and values that are not allowed, are refused before anything runs. The
[cheat sheet](cheat_sheet.md) lists the parameters that chapters show.

"""

CHEAT_SHEET = """# Cheat sheet

The parameters that chapters show, in the order of how many chapters show them. Every chapter accepts
the other parameters of the page [Parameters](parameters.md) too, if they make sense there. All
commands have the form

```bash
papermill book/02_train.ipynb out.ipynb -p lex True -p n_steps 2000
```

| in the terminal | in Python | in a file |
| --- | --- | --- |
| `-p lex True` | `runs.get({"lex": True})` | `lex: true` in `my.yaml`, and `-f my.yaml` |

"""


def parameters_page() -> str:
    """Return the page that lists all parameters."""
    return PARAMETERS + _table(names.parameters())


def cheat_sheet_page(sources: Sequence[Path]) -> str:
    """Return the page of the parameters that chapters show; `sources` are the chapters' files."""
    shown = {source.stem: dependencies.shown_parameters(source) for source in sources}
    chapters = Counter(name for cell in shown.values() for name in cell)
    rows = sorted(
        (row for row in names.parameters() if row["name"] in chapters),
        key=lambda row: -chapters[row["name"]],
    )
    return CHEAT_SHEET + _table(
        {
            "name": row["name"],
            "meaning": row["meaning"],
            "allowed": row["allowed"],
            "default": row["default"],
            "shown in": ", ".join(stem[:2] for stem in shown if row["name"] in shown[stem]),
        }
        for row in rows
    )


def _table(rows: Iterable[Mapping[str, str]]) -> str:
    rows = list(rows)
    heading = f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}\n"
    codes = ("name", "type", "default")
    return heading + table_rows(
        [as_code(cell) if name in codes else as_text(cell) for name, cell in row.items()]
        for row in rows
    )
