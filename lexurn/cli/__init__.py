"""The command line.

    lexurn runs     what is stored                       lexurn.cli.stored
    lexurn book     the executed book, as a site         lexurn.cli.making
    lexurn freeze   what the book uses, published        lexurn.cli.making
    lexurn new      another chapter                      lexurn.cli.making
    lexurn sweep    a grid of runs                       lexurn.cli.grids
    lexurn redraw   a figure, from its card's data       lexurn.cli.drawing

Whatever takes time to import is imported inside the commands, so that `lexurn --help` answers at once.
"""

from typing import Any

import click

from lexurn.base.version import __version__
from lexurn.cli.drawing import redraw
from lexurn.cli.grids import sweep
from lexurn.cli.making import book, freeze, new
from lexurn.cli.stored import stored


class Commands(click.Group):
    """Commands that end in one line, without a traceback, where a person can do something about it."""

    def invoke(self, ctx: click.Context) -> Any:
        from lexurn.publish.site import SiteError
        from lexurn.runs.workers import ClusterError
        from lexurn.settings.resolver import ParameterError

        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `lexurn runs | head`, which click ends quietly
        except (ParameterError, SiteError, ClusterError, OSError) as error:
            refusal = click.ClickException(str(error))
            refusal.exit_code = 2 if isinstance(error, ParameterError) else 1
            raise refusal from None


@click.group(cls=Commands)
@click.version_option(__version__)
def main() -> None:
    """Small autoregressive models on data whose generator is known."""


for command in (stored, book, freeze, new, sweep, redraw):
    main.add_command(command)
