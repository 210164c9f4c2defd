"""Create a chapter that runs as it stands, with its entries in the book (see `create_chapter`)."""

import re
from collections.abc import Callable
from pathlib import Path
from string import Template

import jupytext

from lexurn.base import errors, files, paths
from lexurn.publish.lint import parameter_line
from lexurn.settings import flat_names, resolver

# Parameters of a new chapter, and their values if the chapter only has to be tried out.
PARAMETERS = ("n_tasks", "n_colors", "context_length", "n_test_samples", "seed", "threads")
SMOKE = {"context_length": 16}

# A chapter's source after the header that all chapters share.
TEMPLATE = Template("""\
# %% [markdown]
# # $title
#
# Write here which question this chapter asks, what readers need to know, and which answers are
# possible.

$first

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/$stem.ipynb out.ipynb -p n_tasks 4`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
$parameters

# %% tags=["hide-input"]
from lexurn.settings import resolver

settings = resolver.resolve("$name")

from lexurn import tasks

task = tasks.build(settings)
task.require_references()

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from lexurn import figure, set_threads
from lexurn.figures import plots
from lexurn.measures import evaluation, intervals

set_threads(settings.machine.threads)
splits = task.held_out()
references = task.references()
generalizing = references.pop("generalizing")

# %% [markdown]
# ## An example, to be replaced
#
# How different is G, which counts, from M and S, which remember the pool? Write before a figure
# what to expect. Here: on fresh urns, which no pool contains, M should differ most, because M knows
# its urns by the names of their colours. Before the first ball, G and S make the same prediction,
# so that row is left out.

# %% tags=["hide-input"]
table = evaluation.evaluate(generalizing, references, splits)
rows = table[(table["row"] != "0") & (table["measure"] == "symmetrized_kl")]
options = {"split": "out_of_distribution", "legend": "distance to", "size": (6.5, 3.2)}
alt = "Distances of G to M and S against the number of balls seen, on fresh urns."
figure(plots.distances_by_row, rows, alt=alt, n=f"{rows['n'].max()} sequences", **options)

# %% tags=["hide-input"]
fresh = evaluation.select(table, split="out_of_distribution")
distances = [
    f"{intervals.format_with_error(row['mean'], row['sem'])} nats from {name}"
    for name, row in fresh.iterrows()
]
display(
    Markdown(
        f"On {fresh['n'].iloc[0]} fresh urns, with one sequence each, G is "
        f"{' and '.join(distances)} (symmetrized KL, mean over rows 1 … C, ± one standard error)."
    )
)

# %% [markdown]
# Write after a figure what it shows. Compute every number in a cell like the one above, so that the
# number is also right for other parameters.
#
# ## What to try next
#
# - `-p n_tasks 4`: write which question this answers.
""")


def create_chapter(name: str, *, title: str | None = None) -> list[Path]:
    """Create a chapter that runs as it stands, and list it in contents, README and smoke.yaml.

    Returns the written files, the chapter's source and notebook first. Raises ParameterError for an
    unusable name or title, and OSError if something is in the way; then no file is changed.
    """
    root = paths.root()
    title = name.replace("_", " ").capitalize() if title is None else title.strip()
    _check_name_and_title(name, title)
    # Markdown that shows the title as it is, without HTML, mathematics or emphasis.
    shown_title = re.sub(r"[\\`*_$<>\[\]{}]", r"\\\g<0>", title)
    chapters = sorted((root / "book").glob("[0-9][0-9]_*"))
    if same_name := [path.name for path in chapters if path.stem.partition("_")[2] == name]:
        raise FileExistsError(
            f"there is book/{same_name[-1]}; choose another name, or move the file away"
        )
    last = next(path for path in reversed(chapters) if path.suffix == ".py")
    stem = f"{int(chapters[-1].name[:2]) + 1:02}_{name}"
    header, *cells = re.split(r"^(?=# %%)", last.read_text(), flags=re.MULTILINE)
    text = header + TEMPLATE.substitute(
        title=shown_title,
        first=next(cell for cell in cells if not cell.startswith("# %% [markdown]")).strip(),
        stem=stem,
        parameters="\n".join(map(parameter_line, PARAMETERS)),
        name=name,
    )
    source = root / "book" / f"{stem}.py"
    contents = root / "book" / "_toc.yml"
    smoke = root / "params" / "smoke.yaml"
    common = resolver.read(smoke, name)
    smoke_text = _read_with_newline(smoke)
    if re.search(rf"^{name}\b", smoke_text, re.MULTILINE):
        raise FileExistsError(f"{smoke.name} has parameters for {name} already; remove them")
    own = ", ".join(f"{key}: {value}" for key, value in SMOKE.items() if key not in common)
    readme = root / "README.md"
    cell = shown_title.replace("|", "\\|")
    texts = {
        source: text,
        source.with_suffix(".ipynb"): (
            jupytext.writes(jupytext.reads(text, "py:percent"), "ipynb") + "\n"
        ),
        contents: _insert_after(
            contents,
            rf"^( *)- file: {last.stem}\b.*\n(?:\1 +.*\n)*",  # with its indented lines
            f"line `- file: {last.stem}`",
            lambda match: f"{match[1]}- file: {stem}\n",
        ),
        smoke: f"{smoke_text}{name}: {{{own}}}\n",
        readme: _insert_after(
            readme,
            rf"^\| \[{last.stem}\]\(book/{last.stem}\.py\) \| .* \| (.*) \|\n",
            f"row of {last.stem}",
            lambda match: (
                f"| [{stem}](book/{stem}.py) | {cell} | {match[1].replace(last.stem, stem)} |\n"
            ),
        ),
    }
    files.write_all_or_none(texts)
    return list(texts)


def _check_name_and_title(name: str, title: str) -> None:
    near = re.sub(r"[^a-z0-9]+", "_", name.lower()).lstrip("_0123456789")[:30].rstrip("_")
    checks = (
        (
            not re.fullmatch(r"[a-z][a-z0-9_]{,29}", name),
            "a chapter's name is a lower-case word of at most 30 letters, digits and _, "
            f"got {name!r}; use {near or 'coins'}",
        ),
        (
            name in flat_names(),
            f"{name} is a parameter, so files in params/ could not also name a chapter {name}; "
            "choose another name",
        ),
        (
            not 1 <= len(title) <= 100 or not title.isprintable(),
            f"a title is one line of at most 100 characters, got {title!r}; shorten it",
        ),
    )
    for is_wrong, problem in checks:
        if is_wrong:
            raise errors.ParameterError(problem)


def _insert_after(
    path: Path, pattern: str, entry: str, new_text: Callable[[re.Match[str]], str]
) -> str:
    """Return a file's text with `new_text` after the entry that matches a pattern."""
    text, n_entries = re.subn(
        pattern,
        lambda match: match[0] + new_text(match),
        _read_with_newline(path),
        count=1,
        flags=re.MULTILINE,
    )
    if not n_entries:
        raise FileNotFoundError(
            f"{path.name} has no {entry} to put the new chapter after; add the entry"
        )
    return text


def _read_with_newline(path: Path) -> str:
    return path.read_text().rstrip("\n") + "\n"
