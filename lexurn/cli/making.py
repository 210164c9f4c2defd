"""`lexurn book`, `lexurn freeze` and `lexurn new`: the book, made, published and begun to be written."""

import shutil
import sys
from pathlib import Path

import click

PARAMS = click.option(
    "--params",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="A file of parameters; without one those of the published edition, params/book.yaml.",
)


@click.command()
@PARAMS
@click.option(
    "--chapter", "names", multiple=True, metavar="NAME", help="Execute this one only; repeatable."
)
@click.option("--fresh", is_flag=True, help="Execute all again, without what is published.")
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Chapters executed side by side.",
)
@click.option(
    "--timeout",
    default=7200,
    show_default=True,
    type=click.IntRange(1),
    help="Most seconds for one cell.",
)
def book(params: Path | None, names: tuple[str, ...], fresh: bool, jobs: int, timeout: int) -> None:
    """Execute the chapters that need it, and render the site into _build/html (under LEXURN_BUILD, where that is set).

    A chapter is executed again where its source, its parameters, a module that it loads or a run that it uses has
    changed. One that fails is on its page, the others are made all the same, and the exit code is 1; so it is where a
    figure is not where params/claims.yaml has it.
    """
    import asyncio
    import os

    from lexurn.base import files, paths
    from lexurn.publish import claims, dependencies, execution, site
    from lexurn.runs.tracking import duration

    params = params or _published()
    if fresh:
        os.environ["LEXURN_FRESH"] = "1"  # for the processes that execute chapters too
    wanted, whole = dependencies.chosen(names, params), dependencies.chosen((), params)
    site.require_tools()
    with files.lock(paths.build_folder(), activity="building"):
        files.remove_leftovers(paths.build_folder() / "executed")
        to_do = [chapter for chapter in wanted if fresh or not chapter.is_current]
        scale = params.stem if params else "defaults"
        expected = {chapter.name: chapter.expected(scale) for chapter in to_do}
        for name, seconds in expected.items():
            click.echo(
                f"to execute: {name}, {f'about {duration(seconds)}' if seconds else 'not measured yet'}"
            )
        if not to_do:
            click.echo("every chapter is up to date")
        progress = execution.Progress(expected, say, every=1.0 if sys.stderr.isatty() else 60.0)
        try:
            asyncio.run(execution.execute_all(to_do, progress, jobs=jobs, timeout=timeout))
            made = site.render(whole, scale=scale, say=click.echo)
        except KeyboardInterrupt:
            say("stopped; what was done is kept, and the same command goes on", True)
            raise SystemExit(130) from None
    click.echo(
        f"the site is at {paths.build_folder() / 'html' / 'index.html'}"
        if made
        else "the site is up to date"
    )
    unexpected = [
        line for chapter in whole for line in claims.unexpected(chapter.past.get("claims", {}))
    ]
    for line in unexpected:
        say(line, True)
    if unexpected or any(chapter.past["failed"] for chapter in wanted):
        raise SystemExit(1)


@click.command()
@PARAMS
def freeze(params: Path | None) -> None:
    """Publish an edition: copy what its chapters use from the store into book/results, which is then to be committed.

    Every chapter must be up to date with these parameters, by `lexurn book` with the same ones. What was frozen before
    and is used no longer goes.
    """
    from lexurn.base import files, paths
    from lexurn.publish import dependencies, edition
    from lexurn.runs import store

    params = params or _published()
    behind = [chapter.name for chapter in dependencies.chosen((), params) if not chapter.is_current]
    if behind:
        raise files.StoreError(
            f"not up to date: {', '.join(behind)}; execute them first, by lexurn book with the same parameters"
        )
    with files.lock(paths.build_folder(), activity="building"):
        used = {
            name for chapter in dependencies.chosen((), params) for name in chapter.past["used"]
        }
        made = edition.freeze(used, scale=params.stem if params else "defaults")
    results = paths.root() / "book" / "results"
    n_runs = len({name.partition("/")[0] for name in used} - {"tables"})
    click.echo(f"{n_runs} runs in {results}, {store.size(results):,} bytes")
    click.echo(
        f"rounding the weights moved predictions by at most {made['rounding']:.1g} nats (mean symmetrized KL)"
    )


@click.command()
@click.argument("name")
@click.option("--title", help="Its heading; the name where none is given.")
def new(name: str, title: str | None) -> None:
    """Begin a chapter that runs as it stands: book/NN_NAME.py and .ipynb, with an example to be replaced."""
    from lexurn.base import paths
    from lexurn.publish import authoring

    source, notebook, *others = (
        path.relative_to(paths.root()) for path in authoring.new(name, title=title)
    )
    click.echo(f"made {source} and {notebook}\nadded it to {', '.join(map(str, others))}\n")
    click.echo(f"next: edit {source}, then\n  jupytext --to ipynb --update {source}")
    click.echo(
        f"  lexurn book --chapter {source.stem} --params params/smoke.yaml\n  pytest tests/test_book.py"
    )


def _published() -> Path | None:
    """The parameters of the published edition; None where there are none, and chapters keep their own."""
    from lexurn.base import paths

    params = paths.root() / "params" / "book.yaml"
    return params if params.exists() else None


def say(text: str, last: bool) -> None:
    """A line that is written over by the next at a terminal, unless it is the last about its matter."""
    if sys.stderr.isatty():
        text = text if last else text[: shutil.get_terminal_size().columns - 1]
        click.echo(f"\r\033[K{text}", nl=last, err=True)
    else:
        click.echo(text, err=True)
