"""`lexurn book`, `freeze`, `parameters`, `address`, `redraw`: make and extend the book."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click

from lexurn.base import files, paths


def published_params() -> Path | None:
    """Return the parameters of the published edition; None if chapters use their own."""
    params = paths.root() / "params" / "book.yaml"
    return params if params.exists() else None


# What options that count something have in common.
COUNT = {"show_default": True, "type": click.IntRange(1)}

PARAMS = click.option(
    "--params",
    default=published_params,
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="A file of parameters; by default the published edition's, params/book.yaml.",
)


@click.command()
@PARAMS
@click.option(
    "--chapter", "names", multiple=True, metavar="NAME", help="Execute only this one; repeatable."
)
@click.option("--fresh", is_flag=True, help="Execute all chapters, without published results.")
@click.option("--jobs", default=1, help="Chapters executed side by side.", **COUNT)
@click.option("--timeout", default=7200, help="Maximum number of seconds for one cell.", **COUNT)
@click.option("--pdf", is_flag=True, help="Print all pages as PDF too, by Chromium.")
def book(
    params: Path | None, names: tuple[str, ...], fresh: bool, jobs: int, timeout: int, pdf: bool
) -> None:
    """Execute the chapters that changed, and render the site into _build/html (or LEXURN_BUILD).

    A chapter is executed again if its code, its parameters, a module that it loads or a run that it
    uses has changed. New prose is put around the last outputs without an execution. If a chapter
    fails, its page says so, the others are rendered, and the exit code is 1. The exit code is also
    1 if a number contradicts params/claims.yaml.
    """
    from lexurn.base.wording import duration
    from lexurn.publish import claims, dependencies, site

    claims.read()  # an error in the file is told before anything is executed
    scale = params.stem if params else "defaults"
    if fresh:
        os.environ["LEXURN_FRESH"] = "1"  # also for the processes that execute chapters
    selected = dependencies.select_chapters(names, params)
    chapters = dependencies.select_chapters((), params)
    site.require_tools()
    with files.lock(paths.build_folder(), activity="building"):
        files.remove_leftovers(paths.build_folder() / "executed")
        outdated = [chapter for chapter in selected if fresh or not chapter.is_current]
        try:
            if outdated:
                from lexurn.publish import execution  # slow, and a site alone does not need it

                outdated = [
                    chapter for chapter in outdated if fresh or not execution.update_prose(chapter)
                ]
            expected = {chapter.name: chapter.expected_seconds(scale) for chapter in outdated}
            for name, seconds in expected.items():
                estimate = f"about {duration(seconds)}" if seconds else "not measured yet"
                click.echo(f"to execute: {name}, {estimate}")
            if outdated:
                every = 1.0 if sys.stderr.isatty() else 60.0
                progress = execution.Progress(expected, say, every)
                execution.import_ahead(outdated)
                asyncio.run(execution.execute_all(outdated, progress, jobs=jobs, timeout=timeout))
            else:
                click.echo("every chapter is up to date")
            is_rendered = site.render(chapters, scale=scale, say=click.echo)
        except KeyboardInterrupt:
            say("stopped; finished chapters are stored, the same command continues", True)
            raise SystemExit(130) from None
    index = paths.build_folder() / "html" / "index.html"
    click.echo(f"the site is at {index}" if is_rendered else "the site is up to date")
    if pdf:
        click.echo(f"the pages are printed to {site.print_pages(click.echo)}")
    has_failed = any(chapter.record["failed"] for chapter in selected)
    for chapter in chapters:
        for message in claims.unexpected_verdicts(chapter.record.get("claims", {})):
            say(message, True)
            has_failed = True
    if has_failed:
        raise SystemExit(1)


@click.command()
@PARAMS
@click.option(
    "--grid", "grids", multiple=True, metavar="NAME", help="Also the results of this grid's points."
)
def freeze(params: Path | None, grids: tuple[str, ...]) -> None:
    """Publish an edition: copy what its chapters use into book/results, which is then committed.

    Every chapter must be up to date with these parameters, by `lexurn book` with the same ones.
    Published files that no chapter uses any longer are removed, but for those of a grid that is
    named.
    """
    from lexurn.publish import dependencies, edition
    from lexurn.runs import store, sweeps

    chapters = dependencies.select_chapters((), params)
    if outdated := [chapter.name for chapter in chapters if not chapter.is_current]:
        raise files.StoreError(
            f"not up to date: {', '.join(outdated)}; "
            "execute them first, by lexurn book with the same parameters"
        )
    with files.lock(paths.build_folder(), activity="building"):
        used = {name for chapter in chapters for name in chapter.record["used"]}
        points = [point for name in grids for point in sweeps.read(name).done()]
        used |= {f"{point.name}/results.json" for point in points}
        frozen = edition.freeze(used, scale=params.stem if params else "defaults")
    results = paths.root() / "book" / "results"
    n_runs = len({name.partition("/")[0] for name in used} - {"tables"})
    click.echo(f"{n_runs} runs in {results}, {store.size(results):,} bytes")
    click.echo(
        f"rounding the weights changed predictions by at most {frozen['rounding']:.1g} nats "
        "(mean symmetrized KL)"
    )


@click.command()
@click.argument("url", metavar="https://github.com/NAME/REPOSITORY")
def address(url: str) -> None:
    """Set the address of the repository everywhere: pages, notebooks, README, CITATION.cff.

    From then on, pages and README have buttons that open chapters in Colab. The owner OWNER, with
    which the book begins, takes the buttons away again.
    """
    from lexurn.publish.address import set_address

    changed = [str(path.relative_to(paths.root())) for path in set_address(url)]
    click.echo(f"changed: {', '.join(changed)}" if changed else "the address was this one already")


@click.command()
@click.option("--task", default="", metavar="NAME", help="Only those that apply to this task.")
def parameters(task: str) -> None:
    """List all parameters of chapters and runs: type, default, allowed values, where they apply."""
    from lexurn.settings import names

    for row in names.parameters(task=task):
        click.echo(
            "{name}: {type} = {default}\n    {meaning}\n    {allowed}; {applies to}".format_map(row)
        )


@click.command()
@click.argument(
    "cards",
    nargs=-1,
    required=True,
    metavar="CARD.json...",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures; by default the card's own.",
)
@click.option("--trust", is_flag=True, help="Call whatever function a card names.")
def redraw(cards: tuple[Path, ...], out: Path | None, trust: bool) -> None:
    """Draw figures again, as PNG and SVG, from the JSON of their cards and the CSV beside it.

    With the versions of matplotlib and lexurn that the card names, the PNG is the one on the page,
    byte for byte. A card names the function that draws it. Without --trust, this must be a plot
    function of lexurn; a function of your own is called with --trust only.
    """
    from lexurn.figures import drawing

    for card in cards:
        how, table = drawing.read(card)
        if not trust:
            drawing.require_own_plot(how.plot)
        for ending in ("png", "svg"):
            pictures = drawing.draw(how, table, ending=ending)
            for path in drawing.write(out or card.parent, card.stem, pictures, ending=ending):
                click.echo(path)


def say(text: str, is_last: bool) -> None:
    """Print a line that the next one overwrites on a terminal, unless it is the last of a topic."""
    if sys.stderr.isatty():
        text = text if is_last else text[: shutil.get_terminal_size().columns - 1]
        click.echo(f"\r\033[K{text}", nl=is_last, err=True)
    else:
        click.echo(text, err=True)
