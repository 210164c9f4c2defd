"""`lexurn redraw`: draw a figure again from the two files that its card links to."""

from pathlib import Path

import click


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
def redraw(cards: tuple[Path, ...], out: Path | None) -> None:
    """Draw figures again, as PNG and SVG, from the JSON of their cards and the CSV beside it.

    With the versions of matplotlib and lexurn that the card names, the PNG is the one on the page,
    byte for byte. The card names the plot function, which is imported and called: use only cards
    that you trust.
    """
    from lexurn.figures import drawing

    for card in cards:
        pictures = drawing.draw(*drawing.read(card))
        for path in drawing.write(out or card.parent, card.stem, pictures):
            click.echo(path)
