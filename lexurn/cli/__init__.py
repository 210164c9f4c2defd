"""The command line.

    lexurn runs         list, show, compare and delete stored runs    lexurn.cli.stored
    lexurn export       write runs into a zip file                    lexurn.cli.stored
    lexurn import       put such runs into the own store              lexurn.cli.stored
    lexurn evaluate     score stored models of text                   lexurn.cli.scores
    lexurn book         execute the book and render its site          lexurn.cli.making
    lexurn freeze       publish what the book uses                    lexurn.cli.making
    lexurn parameters   list what can be set by -p, -f and runs.get   lexurn.cli.making
    lexurn sweep        train a grid of runs                          lexurn.cli.grids
    lexurn pair         write notebooks from the chapters' sources    lexurn.cli.pairing
    lexurn adopt        take a notebook's edits into its source       lexurn.cli.pairing
    lexurn redraw       draw a figure again from its card's data      lexurn.cli.making

Slow imports are inside the commands, so that `lexurn --help` answers at once.
"""

from typing import Any

import click

from lexurn.base.errors import ClusterError, ParameterError, SiteError
from lexurn.base.version import __version__
from lexurn.cli.grids import sweep
from lexurn.cli.making import address, book, freeze, parameters, redraw
from lexurn.cli.pairing import adopt, pair
from lexurn.cli.scores import evaluate
from lexurn.cli.stored import export, import_, stored


class Commands(click.Group):
    """Commands that turn errors with a known remedy into one line without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `lexurn runs | head`: click ends without an error
        except (ParameterError, SiteError, ClusterError, OSError) as error:
            message = click.ClickException(str(error))
            message.exit_code = 2 if isinstance(error, ParameterError) else 1
            raise message from None


@click.group(
    cls=Commands,
    commands=[
        *(stored, export, import_, evaluate, book, freeze, parameters, sweep, pair, adopt, redraw),
        address,
    ],
)
@click.version_option(__version__)
def main() -> None:
    """Small autoregressive models on data whose generator is known."""
