"""`lexurn runs`, `export`, `import`: list, show, compare, delete and share stored runs."""

import json
from pathlib import Path

import click

from lexurn import runs
from lexurn.base.wording import counted

N_DIGITS = 6  # of a key: enough to name one run among thousands

N_ROWS = 20  # of a listing where nothing else is asked for


class ListByDefault(click.Group):
    """Commands of which `list` is meant unless the first argument names one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_command = args[:1] and args[0] in (*self.commands, "--help")
        return super().parse_args(ctx, args if is_command else ["list", *args])


@click.group("runs", cls=ListByDefault)
def stored() -> None:
    """List, show, compare and delete stored runs.

    Without a command, runs are listed: lexurn runs --mine 'n_steps>100' --sort d_G. All options of
    a listing: lexurn runs list --help.

    A run is named by its folder, its key, or the beginning of its key.
    """


@stored.command("list")
@click.argument("conditions", nargs=-1, metavar="[CONDITION]...")
@click.option("--mine", is_flag=True, help="Only the own store, without published runs.")
@click.option("--unfinished", "only_unfinished", is_flag=True, help="Only unfinished runs.")
@click.option("--since", metavar="TIME", help="Finished since a date, or 2d or 3h ago.")
@click.option("--sort", metavar="COLUMN", help="Smallest first; -COLUMN: largest first.")
@click.option("--columns", default="", metavar="A,B", help="These columns or settings instead.")
@click.option("--limit", type=click.IntRange(min=1), help=f"Number of rows instead of {N_ROWS}.")
@click.option("--all", "is_all", is_flag=True, help="All rows.")
@click.option("--csv", "form", flag_value="csv", help="All rows and columns, as CSV.")
@click.option("--json", "form", flag_value="json", help="All rows and columns, as JSON.")
def list_runs(
    conditions: tuple[str, ...],
    mine: bool,
    only_unfinished: bool,
    since: str | None,
    sort: str | None,
    columns: str,
    limit: int | None,
    is_all: bool,
    form: str | None,
) -> None:
    """List the runs that meet all conditions: own ones, then published ones, newest first.

    A condition compares a setting or a result with a value by =, !=, <, <=, > or >=, for example
    lex=True 'n_steps>10' (in quotes, because the shell takes < and > for itself).

    d_G, d_M and d_S are distances to the references out of distribution (symmetrized KL in nats,
    with its standard error). For strings, regret_<reference> is the loss in excess of the
    reference's. Of the settings, those that differ between the runs are shown.
    """
    from lexurn.cli import selection
    from lexurn.runs import listing

    table = runs.table()
    column_names = list(
        dict.fromkeys(selection.find_column(name, table) for name in columns.split(",") if name)
    )
    sort_column = selection.find_column(sort.removeprefix("-"), table) if sort else ""
    start = selection.parse_time(since) if since else ""
    unfinished = listing.unfinished_table(table)
    for condition in conditions:
        table = selection.filter_runs(table, condition)
        unfinished = selection.filter_runs(unfinished, condition)
    table = table[(table["finished"] >= start) & ~(table["published"].astype(bool) & mine)]
    if sort:
        table = selection.sort_runs(table, sort_column, descending=sort[0] == "-")
    output = (
        unfinished[["name", "state"]] if only_unfinished else table[column_names or list(table)]
    )[:limit]
    states = zip(unfinished["name"], unfinished["state"], strict=True)
    lines = [f"unfinished: {name} ({state})" for name, state in states]
    if form:
        if lines and not only_unfinished:
            click.echo("\n".join(lines), err=True)
        click.echo(
            output.to_csv(index=False).removesuffix("\n")
            if form == "csv"
            else json.dumps(output.astype(object).where(output.notna(), None).to_dict("records"))
        )
    else:
        if not only_unfinished:
            limit = limit or (len(table) if is_all else N_ROWS)
            lines.insert(
                0,
                selection.format_table(table, limit, column_names, sort_column)
                if len(table)
                else "no finished run" + " matches" * bool(conditions or mine or since),
            )
        click.echo("\n".join(lines) or "no unfinished run")


@stored.command()
@click.argument("name")
@click.option("--metrics", is_flag=True, help="All steps and columns of the metrics.")
def show(name: str, metrics: bool) -> None:
    """Show settings, distances, provenance and metrics of one run."""
    from lexurn.runs import listing

    run = runs.load(name)
    facts = run.provenance
    measure = run.task.measure
    step, loss = listing.best(run)
    changed = " ".join(f"{name}={value}" for name, value in run.settings.changed().items())
    device = f"{facts['device']}, {counted(facts['threads'], 'thread')}, {facts['precision']}"
    table = run.metrics
    if not metrics:
        prefix = f"{run.task.splits[0]}/{measure}/"
        names = [name for name in table if name.startswith(prefix) and name[-5:] != "/last"]
        table = table[["step", "train_loss", "validation_loss", *names]].rename(
            columns=lambda name: name.replace(prefix, listing.column_name(measure, ""))
        )
    along_training = table.replace(-float("inf"), "impossible").to_string(
        index=False, na_rep="", max_rows=None if metrics else 20
    )
    click.echo(
        f"{run.path.name}\n{run.path}\n\n"
        f"settings    {changed or 'the defaults'}\n"
        f"best step   {step} of {run.metrics['step'].iloc[-1]}, validation loss {loss:.4f}\n"
        f"commit      {facts['commit'] or 'unknown'}{' with changes' * bool(facts['dirty'])}\n"
        f"trained     in {facts['duration']} on {device}\n"
        f"again with  {facts['command']}\n\n"
        f"{listing.measure_name(run)} to the references, in nats\n"
        f"{listing.distances(run).to_string()}\n\nalong training\n{along_training}"
    )


@stored.command()
@click.argument("names", nargs=-1, required=True)
def compare(names: tuple[str, ...]) -> None:
    """Show the differing settings and the distances of several runs side by side."""
    import pandas as pd

    from lexurn.runs import listing

    compared = {run.settings.key[:N_DIGITS]: run for run in map(runs.load, names)}
    settings = pd.DataFrame(
        {key: pd.Series(run.settings.flat(), dtype=object) for key, run in compared.items()}
    )
    differing = settings[settings.astype(str).nunique(axis=1) > 1].copy()
    steps, losses = zip(*map(listing.best, compared.values()), strict=True)
    differing.loc["best_step"] = list(steps)
    differing.loc["validation_loss"] = [f"{loss:.4f}" for loss in losses]
    differing.loc["measure"] = [run.task.measure for run in compared.values()]
    distances = pd.concat(
        {key: listing.distances(run).T.unstack() for key, run in compared.items()}, axis=1
    )
    for key, run in compared.items():
        click.echo(f"{key}  {run.path.name}")
    click.echo(f"\n{differing.to_string()}")
    click.echo(f"\ndistances to the references, in nats\n{distances.to_string(na_rep='')}")


@stored.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(names: tuple[str, ...], yes: bool) -> None:
    """Delete runs of the own store, finished or not."""
    from lexurn.runs import store

    folders = list(dict.fromkeys(map(store.deletable, names)))
    for folder in folders:
        state = "" if store.is_finished(folder) else "unfinished, "
        click.echo(f"{folder.name}  {state}{store.size(folder):,} bytes")
    if not yes:
        what = "this run" if len(folders) == 1 else f"these {len(folders)} runs"
        click.confirm(f"Delete {what}?", abort=True)
    for folder in folders:
        store.delete(folder)
        click.echo(f"deleted {folder.name}")


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--to",
    "path",
    default="runs.zip",
    show_default=True,
    metavar="FILE.zip",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; an existing one is replaced.",
)
def export(names: tuple[str, ...], path: Path) -> None:
    """Write finished runs into one zip file, each with its weights and a model card.

    A run is named by its folder, its key, the beginning of its key, or as a pretrained model, such
    as urns/lexical. `lexurn import` reads the file. Each folder in it can be uploaded to the
    Hugging Face Hub; its card gives the MIT licence, for you to change.
    """
    for name, has_weights in runs.export(names, path).items():
        click.echo(name if has_weights else f"{name} (without weights)")
    click.echo(f"{path}: {path.stat().st_size:,} bytes")


@click.command("import")
@click.argument("path", metavar="FILE.zip|FOLDER", type=click.Path(exists=True, path_type=Path))
def import_(path: Path) -> None:
    """Put the runs of a file that `lexurn export` wrote into the own store.

    A folder is imported too: what was in such a file, an artifact of Weights & Biases, or a model
    repository of the Hugging Face Hub.

    Every file is compared with its checksum. If anything is unexpected, no run is imported. A run
    that is here already with the same files is skipped.
    """
    for name, is_new in runs.import_(path).items():
        click.echo(f"imported {name}" if is_new else f"skipped {name}: it is here already")
