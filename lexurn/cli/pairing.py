"""`lexurn pair`, `adopt`: bring a chapter's notebook and its source together."""

from pathlib import Path

import click

from lexurn.base.errors import StoreError

CHAPTERS = click.argument("names", nargs=-1, metavar="[CHAPTER]...")
DISCARD = click.option("--discard", is_flag=True, help="Drop the edits of the file to be written.")


@click.command()
@CHAPTERS
@DISCARD
def pair(names: tuple[str, ...], discard: bool) -> None:
    """Write the notebooks of chapters (all, if none is named) from their sources.

    book/02_train.py is the source of a chapter, and the notebook beside it holds the same cells
    without outputs. A notebook that has been edited is refused, with the cells: `lexurn adopt`
    takes the edits into the source, --discard drops them. A chapter is named by 02_train, by train,
    or by either of its files.
    """
    from lexurn.publish import dependencies, pairing

    refusals = []
    for source in dependencies.select_sources(tuple(Path(name).stem for name in names)):
        try:
            if pairing.pair(source, discard=discard):
                click.echo(f"written: {source.with_suffix('.ipynb').name}")
        except StoreError as error:
            refusals.append(str(error))
    if refusals:
        raise StoreError("\n".join(refusals))


@click.command()
@click.argument("name", metavar="CHAPTER")
@DISCARD
def adopt(name: str, discard: bool) -> None:
    """Take the edits of a chapter's notebook into its source, book/NN_name.py.

    The source keeps its header, and the notebook loses its outputs. If the source has been edited
    too, nothing is changed, and a message says how to merge both.
    """
    from lexurn.publish import dependencies, pairing

    (source,) = dependencies.select_sources((Path(name).stem,))
    changed = pairing.adopt(source, discard=discard)
    click.echo(f"taken into {source.name}: {changed}" if changed else "there is nothing to adopt")
