"""The command line: `lexurn runs` for what is stored, `lexurn book` for the site, `lexurn new` for a chapter.

Whatever takes time to import is imported inside the commands, so that `lexurn --help` answers at once.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lexurn

if TYPE_CHECKING:
    import pandas as pd

    from lexurn.runs import Run


class Commands(click.Group):
    """Commands that end in one line, without a traceback, where a person can do something about it."""

    def invoke(self, ctx: click.Context) -> Any:
        from lexurn.parameters import ParameterError
        from lexurn.site import SiteError

        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `lexurn runs | head`, which click ends quietly
        except (ParameterError, SiteError, OSError) as error:
            refusal = click.ClickException(str(error))
            refusal.exit_code = 2 if isinstance(error, ParameterError) else 1
            raise refusal from None


@click.group(cls=Commands)
@click.version_option(lexurn.__version__)
def main() -> None:
    """Small autoregressive models on data whose generator is known."""


@main.group("runs", invoke_without_command=True)
@click.pass_context
def runs_group(ctx: click.Context) -> None:
    """List, show, compare and delete stored runs.

    A run is named by its folder, its key, or the beginning of its key.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_runs)


@runs_group.command("list")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--csv", "form", flag_value="csv", help="Every column, as CSV.")
@click.option("--json", "form", flag_value="json", help="Every column, as JSON.")
def list_runs(settings: tuple[str, ...] = (), form: str | None = None) -> None:
    """The finished runs with these settings, for example: lexurn runs list lex=True n_tasks=1.

    Of the settings, those are shown that differ. d is the distance to a reference out of distribution (symmetrized KL
    in nats, with its standard error).
    """
    from lexurn import runs

    table = runs.table(**_assignments(settings))
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(json.dumps(table.astype(object).where(table.notna(), None).to_dict("records")))
    else:
        click.echo(_listing(table) if len(table) else "no finished run" + (" with these settings" if settings else ""))
        for name, state in {} if settings else runs.unfinished().items():
            click.echo(f"unfinished: {name} ({state})")


@runs_group.command()
@click.argument("name")
@click.option("--metrics", is_flag=True, help="Every line and column of the metrics along training.")
def show(name: str, metrics: bool) -> None:
    """Settings, distances, provenance and metrics of one run."""
    from lexurn import evaluation, runs

    run = runs.load(name)
    made, loss = run.provenance, _validation_loss(run)
    click.echo(f"{run.path.name}\n{run.path}\n")
    changed = " ".join(f"{name}={value}" for name, value in run.settings.changed().items())
    click.echo(f"settings    {changed or 'the defaults'}")
    click.echo(f"best step   {_best_step(run)} of {run.metrics['step'].iloc[-1]}, validation loss {loss:.4f}")
    dirty = " with changes" if made["dirty"] else ""
    click.echo(f"commit      {made['commit'] or 'unknown'}{dirty}")
    click.echo(
        f"trained     in {made['duration']} on {made['device']}, {made['threads']} thread(s), {made['precision']}"
    )
    click.echo(f"again with  {made['command']}")
    click.echo(f"\nsymmetrized KL to the references, in nats\n{evaluation.summary(run.results).to_string()}")
    shown = run.metrics
    if not metrics:
        few = ["step", "train_loss", "validation_loss"]
        shown = shown[few + [column for column in shown if column.startswith("out_of_distribution/symmetrized_kl")]]
        shown = shown[[column for column in shown if not column.endswith("/last")]]
        shown = shown.rename(columns=lambda column: column.replace("out_of_distribution/symmetrized_kl/", "d_"))
    click.echo(f"\nalong training\n{shown.to_string(index=False, na_rep='', max_rows=None if metrics else 20)}")


@runs_group.command()
@click.argument("names", nargs=-1, required=True)
def compare(names: tuple[str, ...]) -> None:
    """Settings that differ, and distances, of runs side by side."""
    import pandas as pd

    from lexurn import evaluation, runs, store

    loaded = {store.key(run.path)[: _digits()]: run for run in map(runs.load, names)}
    for short, run in loaded.items():
        click.echo(f"{short}  {run.path.name}")
    settings = pd.DataFrame({short: pd.Series(run.settings.flat(), dtype=object) for short, run in loaded.items()})
    differ = settings[settings.astype(str).nunique(axis=1) > 1].copy()
    differ.loc["best_step"] = [_best_step(run) for run in loaded.values()]
    differ.loc["validation_loss"] = [f"{_validation_loss(run):.4f}" for run in loaded.values()]
    click.echo(f"\n{differ.to_string()}")
    distances = pd.concat({short: evaluation.summary(run.results).T.unstack() for short, run in loaded.items()}, axis=1)
    click.echo(f"\nsymmetrized KL to the references, in nats\n{distances.to_string(na_rep='')}")


@runs_group.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(names: tuple[str, ...], yes: bool) -> None:
    """Delete runs of one's own, finished or not."""
    from lexurn import store

    folders = list(dict.fromkeys(map(store.deletable, names)))
    for folder in folders:
        click.echo(f"{folder.name}  {'' if store.is_finished(folder) else 'unfinished, '}{store.size(folder):,} bytes")
    if not yes:
        click.confirm(f"Delete {'this run' if len(folders) == 1 else f'these {len(folders)} runs'}?", abort=True)
    for folder in folders:
        store.delete(folder)
        click.echo(f"deleted {folder.name}")


@main.command()
@click.option("--params", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="A file of parameters.")
@click.option("--chapter", "names", multiple=True, metavar="NAME", help="Execute this one only; repeatable.")
@click.option("--fresh", is_flag=True, help="Execute again what is up to date.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Chapters executed side by side.")
@click.option("--timeout", default=7200, show_default=True, type=click.IntRange(1), help="Most seconds for one cell.")
def book(params: Path | None, names: tuple[str, ...], fresh: bool, jobs: int, timeout: int) -> None:
    """Execute the chapters that need it, and render the site into _build/html (under LEXURN_BUILD, where that is set).

    A chapter is executed again where its source, its parameters, a module that it loads or a run that it uses has
    changed. One that fails is on its page, the others are made all the same, and the exit code is 1.
    """
    import asyncio

    from lexurn import chapters, execution, files, paths, site
    from lexurn.tracking import duration

    wanted = chapters.chosen(names, params)
    site.require_tools()
    with files.lock(paths.build(), doing="building"):
        to_do = [chapter for chapter in wanted if fresh or not chapter.is_current]
        scale = params.stem if params else "defaults"
        expected = {chapter.name: chapter.expected(scale) for chapter in to_do}
        for name, seconds in expected.items():
            click.echo(f"to execute: {name}, {f'about {duration(seconds)}' if seconds else 'not measured yet'}")
        if not to_do:
            click.echo("every chapter is up to date")
        progress = execution.Progress(expected, _say, every=1.0 if sys.stderr.isatty() else 60.0)
        try:
            asyncio.run(execution.execute_all(to_do, progress, jobs=jobs, timeout=timeout))
            made = site.render(chapters.chosen((), params), say=click.echo)
        except KeyboardInterrupt:
            _say("stopped; what was done is kept, and the same command goes on", True)
            raise SystemExit(130) from None
    click.echo(f"the site is at {paths.build() / 'html' / 'index.html'}" if made else "the site is up to date")
    if any(chapter.past["failed"] for chapter in wanted):
        raise SystemExit(1)


@main.command()
@click.argument("name")
@click.option("--title", help="Its heading; the name where none is given.")
def new(name: str, title: str | None) -> None:
    """Begin a chapter that runs as it stands: book/NN_NAME.py and .ipynb, with an example to be replaced."""
    from lexurn import authoring, paths

    source, notebook, *others = (path.relative_to(paths.root()) for path in authoring.new(name, title=title))
    click.echo(f"made {source} and {notebook}\nadded it to {', '.join(map(str, others))}\n")
    click.echo(f"next: edit {source}, then\n  jupytext --to ipynb --update {source}")
    click.echo(f"  lexurn book --chapter {source.stem} --params params/smoke.yaml\n  pytest tests/test_book.py")


def _say(text: str, last: bool) -> None:
    """A line that is written over by the next at a terminal, unless it is the last about its matter."""
    if sys.stderr.isatty():
        text = text if last else text[: shutil.get_terminal_size().columns - 1]
        click.echo(f"\r\033[K{text}", nl=last, err=True)
    else:
        click.echo(text, err=True)


def _assignments(texts: tuple[str, ...]) -> dict[str, str]:
    from lexurn.parameters import ParameterError

    for text in texts:
        if "=" not in text:
            raise ParameterError(f"a setting is given as name=value, for example lex=True, got {text}")
    return dict(text.split("=", 1) for text in texts)


def _listing(table: "pd.DataFrame") -> str:
    """A line for each run, no wider than the terminal: what does not fit is left out and named."""
    import pandas as pd

    from lexurn import tracking
    from lexurn.settings import FLAT
    from lexurn.uncertainty import with_error

    short = table["name"].str[-12:].str[: _digits()]
    shown = pd.DataFrame({"run": short, "kind": table["kind"], "seed": table["seed"]})
    told = {"seed", "lex", "label_permuted"}  # the last two by the kind
    differ = [name for name in FLAT if name not in told and table[name].astype(str).nunique() > 1]
    shown[differ] = table[differ]
    shown["best step"] = table["best_step"]
    shown["loss"] = table["validation_loss"].map("{:.4f}".format)
    for reference in ("generalizing", "memorizing", "symmetrized"):
        if f"d_{reference}" in table:
            numbers = table[[f"d_{reference}", f"d_{reference}_sem"]].itertuples(index=False)
            texts = ["" if pd.isna(mean) else with_error(mean, sem) for mean, sem in numbers]
            shown[f"d {reference[0].upper()}"] = texts
    shown["duration"] = table["seconds"].map(tracking.duration)
    if table["published"].any():
        shown["published"] = table["published"].map({True: "yes", False: ""})

    width, left_out = shutil.get_terminal_size((140, 24)).columns, []
    least = ["duration", "best step", "loss", *reversed(differ)]
    while len((text := shown.to_string(index=False)).partition("\n")[0]) > width and least:
        left_out.append(least.pop(0))
        shown = shown.drop(columns=left_out[-1])
    if left_out:
        text += f"\n(no room for {', '.join(left_out)}; lexurn runs list --csv has everything)"
    return text


def _digits() -> int:
    """How many digits of a key tell the stored runs apart."""
    from lexurn import store

    keys = {store.key(folder) for folder in store.folders()}
    return next(n for n in range(6, 13) if len({key[:n] for key in keys}) == len(keys))


def _best_step(run: "Run") -> int:
    return int(run.results["step"].iloc[0])


def _validation_loss(run: "Run") -> float:
    return run.metrics.set_index("step").loc[_best_step(run), "validation_loss"]
