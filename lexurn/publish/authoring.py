"""Writing chapters: `new` begins one that runs as it stands, `faults` says what is wrong with one."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from lexurn.base import files, paths
from lexurn.base.errors import ParameterError
from lexurn.publish.lint import faults, line_of
from lexurn.settings import flat_names, resolver

__all__ = ["faults", "new"]

PARAMETERS = ("n_tasks", "n_colors", "context_length", "n_test_samples", "seed", "threads")
SMOKE = {"context_length": 16}
"""What a new chapter asks for, and what it is given where it only has to be seen to run."""

BEGINNING = Template("""\
# %% [markdown]
# # $title
#
# Say here what this chapter asks, what a reader needs to know for that, and what could come out.

$first

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/$stem.ipynb out.ipynb -p n_tasks 4`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
$parameters

# %%
from lexurn.settings import resolver

settings = resolver.resolve("$name")

from lexurn import tasks

task = tasks.build(settings)
task.require_references()

# %%
import torch
from IPython.display import Markdown, display

from lexurn.measures import evaluation, intervals
from lexurn import figure
from lexurn.figures import plots

torch.set_num_threads(settings.machine.threads)
splits = task.held_out()
references = task.references()
generalizing = references.pop("generalizing")

# %% [markdown]
# ## An example, to be replaced
#
# How far is G, which counts, from M and S, which remember the pool? Say before the figure what to expect: on fresh
# urns, which no pool holds, M should be furthest off, as it knows its urns by the names of their colours. (Before the
# first ball G and S say the same, so that row is left out.)

# %%
table = evaluation.evaluate(generalizing, references, splits)
rows = table[(table["row"] != "0") & (table["measure"] == "symmetrized_kl")]
options = {"split": "out_of_distribution", "legend": "distance to", "size": (6.5, 3.2)}
alt = "Distances of G to M and S against the balls seen, on fresh urns."
figure(plots.distances_by_row, rows, alt=alt, n=f"{rows['n'].max()} sequences", **options)

# %%
fresh = evaluation.select(table, split="out_of_distribution")
found = [f"{intervals.format_with_error(line['mean'], line['sem'])} nats from {name}" for name, line in fresh.iterrows()]
display(
    Markdown(
        f"On {fresh['n'].iloc[0]} fresh urns, one a sequence, G is {' and '.join(found)} "
        "(symmetrized KL, mean over rows 1 … C, ± one standard error)."
    )
)

# %% [markdown]
# Say after the figure what was seen. Numbers come from cells like the one above, so that they are right at other
# parameters too.
#
# ## What to try next
#
# - `-p n_tasks 4`: say which question this answers.
""")
"""A chapter's source, behind the header that all chapters share."""


def new(name: str, *, title: str | None = None) -> list[Path]:
    """Begin a chapter that runs as it stands, with its lines in the contents, the README and params/smoke.yaml.

    Returns the files that were written, the chapter's source and notebook first. Raises ParameterError for what cannot
    be a chapter's name or title, and OSError for what is in the way; then nothing is changed.
    """
    import jupytext

    root, title = (
        paths.root(),
        name.replace("_", " ").capitalize() if title is None else title.strip(),
    )
    _refuse(name, title)
    there = sorted((root / "book").glob("[0-9][0-9]_*"))
    if taken := [path.name for path in there if path.stem.partition("_")[2] == name]:
        raise FileExistsError(f"there is book/{taken[-1]}; choose another name, or move it away")
    stem, last = (
        f"{int(there[-1].name[:2]) + 1:02}_{name}",
        [path for path in there if path.suffix == ".py"][-1],
    )
    header, *cells = re.split(r"^(?=# %%)", last.read_text(), flags=re.MULTILINE)
    first = next(cell for cell in cells if not cell.startswith("# %% [markdown]")).strip()
    own = "\n".join(map(line_of, PARAMETERS))
    text = header + BEGINNING.substitute(
        title=title, first=first, stem=stem, parameters=own, name=name
    )
    source, contents = root / "book" / f"{stem}.py", root / "book" / "_toc.yml"
    smoke, readme = root / "params" / "smoke.yaml", root / "README.md"
    made = {
        source: text,
        source.with_suffix(".ipynb"): jupytext.writes(jupytext.reads(text, "py:percent"), "ipynb")
        + "\n",
        contents: _with_line(contents, last.stem, stem),
        smoke: _with_smoke(smoke, name),
        readme: _with_row(readme, last.stem, stem, title),
    }
    _write(made)
    return list(made)


def _refuse(name: str, title: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{,29}", name):
        near = (
            re.sub(r"[^a-z0-9]+", "_", name.lower()).lstrip("_0123456789")[:30].rstrip("_")
            or "coins"
        )
        raise ParameterError(
            f"a chapter's name is a lower-case word of at most 30 letters, digits and _, got {name!r}; use {near}"
        )
    if name in flat_names():
        raise ParameterError(
            f"{name} is a parameter, which files in params/ could not tell from a chapter"
        )
    if not title or len(title) > 100 or not title.isprintable():
        raise ParameterError(
            f"a title is one line of at most 100 characters, got {title!r}; shorten it"
        )


def _with_line(contents: Path, last: str, stem: str) -> str:
    """The contents with a line behind that of the last chapter, and behind whatever is indented below it."""
    text = _ended(contents)
    if not (found := re.search(rf"^( *)- file: {last}\b.*\n(?:\1 +.*\n)*", text, re.MULTILINE)):
        raise FileNotFoundError(
            f"{contents.name} has no line `- file: {last}` to put another behind; add it"
        )
    return f"{text[: found.end()]}{found[1]}- file: {stem}\n{text[found.end() :]}"


def _with_smoke(smoke: Path, name: str) -> str:
    """The smoke parameters with a mapping for the chapter, of what does not stand above for all chapters."""
    common = resolver.read(smoke, name)
    text, own = (
        _ended(smoke),
        ", ".join(f"{key}: {value}" for key, value in SMOKE.items() if key not in common),
    )
    if re.search(rf"^{name}\b", text, re.MULTILINE):
        raise FileExistsError(f"{smoke.name} has parameters for {name} already; remove them")
    return f"{text}{name}: {{{own}}}\n"


def _with_row(readme: Path, last: str, stem: str, title: str) -> str:
    """The README with a row behind the last one of its table of chapters, and with the same badge."""
    text = _ended(readme)
    if not (
        found := re.search(
            rf"^\| \[{last}\]\(book/{last}\.py\) \| .* \| (.*) \|\n", text, re.MULTILINE
        )
    ):
        raise FileNotFoundError(f"{readme.name} has no row of {last} to put another behind; add it")
    question, badge = title.replace("|", "\\|"), found[1].replace(last, stem)
    return f"{text[: found.end()]}| [{stem}](book/{stem}.py) | {question} | {badge} |\n{text[found.end() :]}"


def _ended(path: Path) -> str:
    return path.read_text().rstrip("\n") + "\n"


def _write(made: Mapping[Path, str]) -> None:
    """Write all of these files, or leave everything as it was."""
    before = {path: path.read_text() if path.exists() else None for path in made}
    try:
        for path, text in made.items():
            files.write(path, text)
    except OSError as error:
        for path, text in before.items():
            if text is None:
                path.unlink(missing_ok=True)
            elif path.read_text() != text:
                files.write(path, text)
        raise OSError(f"{str(error).partition(';')[0]}; nothing was changed") from None
