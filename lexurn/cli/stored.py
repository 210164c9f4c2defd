"""`lexurn runs`, `export`, `import`: list, show, compare, delete and share stored runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import click

from lexurn import runs
from lexurn.base.errors import ParameterError

KL_PREFIX = "out_of_distribution/symmetrized_kl/"

N_DIGITS = 6  # of a key: enough to name one run among thousands


@click.group("runs", invoke_without_command=True)
@click.pass_context
def stored(ctx: click.Context) -> None:
    """List, show, compare and delete stored runs.

    A run is named by its folder, its key, or the beginning of its key.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_runs)


@stored.command("list")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--csv", "form", flag_value="csv", help="Every column, as CSV.")
@click.option("--json", "form", flag_value="json", help="Every column, as JSON.")
def list_runs(settings: tuple[str, ...] = (), form: str | None = None) -> None:
    """List the finished runs with these settings, e.g. lexurn runs list lex=True n_tasks=1.

    Only settings that differ between the runs are shown. d is the distance to a reference out of
    distribution (symmetrized KL in nats, with its standard error).
    """
    table = runs.table(**_parse_settings(settings))
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(json.dumps(table.astype(object).where(table.notna(), None).to_dict("records")))
    else:
        nothing = "no finished run" + (" with these settings" if settings else "")
        click.echo(_format_table(table) if len(table) else nothing)
        for name, state in {} if settings else runs.unfinished().items():
            click.echo(f"unfinished: {name} ({state})")


@stored.command()
@click.argument("name")
@click.option("--metrics", is_flag=True, help="All steps and columns of the metrics.")
def show(name: str, metrics: bool) -> None:
    """Show settings, distances, provenance and metrics of one run."""
    from lexurn.measures import evaluation

    run = runs.load(name)
    facts = run.provenance
    changed = " ".join(f"{name}={value}" for name, value in run.settings.changed().items())
    device = f"{facts['device']}, {facts['threads']} thread(s), {facts['precision']}"
    table = run.metrics
    if not metrics:
        names = [name for name in table if name.startswith(KL_PREFIX) and name[-5:] != "/last"]
        table = table[["step", "train_loss", "validation_loss", *names]].rename(
            columns=lambda name: name.replace(KL_PREFIX, "d_")
        )
    along_training = table.to_string(index=False, na_rep="", max_rows=None if metrics else 20)
    click.echo(
        f"{run.path.name}\n{run.path}\n\n"
        f"settings    {changed or 'the defaults'}\n"
        f"best step   {_best_step(run)} of {run.metrics['step'].iloc[-1]}, "
        f"validation loss {_validation_loss(run):.4f}\n"
        f"commit      {facts['commit'] or 'unknown'}{' with changes' * bool(facts['dirty'])}\n"
        f"trained     in {facts['duration']} on {device}\n"
        f"again with  {facts['command']}\n\n"
        f"{run.task.measure.replace('_', ' ')} to the references, in nats\n"
        f"{evaluation.summary(run.results, measure=run.task.measure).to_string()}"
        f"\n\nalong training\n{along_training}"
    )


@stored.command()
@click.argument("names", nargs=-1, required=True)
def compare(names: tuple[str, ...]) -> None:
    """Show the differing settings and the distances of several runs side by side."""
    import pandas as pd

    from lexurn.measures import evaluation

    compared = {run.settings.key[:N_DIGITS]: run for run in map(runs.load, names)}
    settings = pd.DataFrame(
        {key: pd.Series(run.settings.flat(), dtype=object) for key, run in compared.items()}
    )
    differing = settings[settings.astype(str).nunique(axis=1) > 1].copy()
    differing.loc["best_step"] = list(map(_best_step, compared.values()))
    differing.loc["validation_loss"] = [f"{_validation_loss(run):.4f}" for run in compared.values()]
    distances = pd.concat(
        {
            key: evaluation.summary(run.results, measure=run.task.measure).T.unstack()
            for key, run in compared.items()
        },
        axis=1,
    )
    for key, run in compared.items():
        click.echo(f"{key}  {run.path.name}")
    click.echo(f"\n{differing.to_string()}")
    click.echo(f"\nsymmetrized KL to the references, in nats\n{distances.to_string(na_rep='')}")


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

    A run is named by its folder, its key, or the beginning of its key. `lexurn import` reads the
    file.
    """
    for name, has_weights in runs.export(names, path).items():
        click.echo(name if has_weights else f"{name} (without weights)")
    click.echo(f"{path}: {path.stat().st_size:,} bytes")


@click.command("import")
@click.argument(
    "path", metavar="FILE.zip", type=click.Path(dir_okay=False, exists=True, path_type=Path)
)
def import_(path: Path) -> None:
    """Put the runs of a file that `lexurn export` wrote into the own store.

    Every file is compared with its checksum. If anything is unexpected, no run is imported. A run
    that is here already with the same files is skipped.
    """
    for name, is_new in runs.import_(path).items():
        click.echo(f"imported {name}" if is_new else f"skipped {name}: it is here already")


def _parse_settings(texts: tuple[str, ...]) -> dict[str, str]:
    if wrong := [text for text in texts if "=" not in text]:
        raise ParameterError(
            f"a setting is given as name=value, for example lex=True, got {wrong[0]}"
        )
    return dict(text.split("=", 1) for text in texts)


def _format_table(table: Any) -> str:
    """Return one line per run, no wider than the terminal, and the names of omitted columns."""
    import pandas as pd

    from lexurn.measures.intervals import format_with_error
    from lexurn.runs import tracking
    from lexurn.settings import flat_names

    differing = [
        name
        for name in flat_names()
        if name not in ("seed", "lex", "label_permuted") and table[name].astype(str).nunique() > 1
    ]
    distances = {}
    for column in ("d_generalizing", "d_memorizing", "d_symmetrized"):
        numbers = table[[column, f"{column}_sem"]].itertuples(index=False)
        texts = ["" if pd.isna(mean) else format_with_error(mean, sem) for mean, sem in numbers]
        distances[f"d {column[2].upper()}"] = texts
    shown = pd.DataFrame(
        {
            "run": table["name"].str[-12:].str[:N_DIGITS],
            "kind": table["kind"],
            "seed": table["seed"],
            **table[differing].where(table[differing].notna(), ""),
            "best step": table["best_step"],
            "loss": table["validation_loss"].map("{:.4f}".format),
            **distances,
            "duration": table["seconds"].map(tracking.duration),
            "published": table["published"].map({True: "yes", False: ""}),
        }
    )
    if not table["published"].any():
        shown = shown.drop(columns="published")
    shown = shown.astype(str)
    widths = {name: max(len(name), *map(len, shown[name])) + 1 for name in shown}
    omitted: list[str] = []
    for column in ("duration", "best step", "loss", *reversed(differing)):
        if sum(widths.values()) > shutil.get_terminal_size((140, 24)).columns:
            omitted.append(column)
            del widths[column]
    shown = shown[list(widths)]
    note = f"\n(no room for {', '.join(omitted)}; lexurn runs list --csv has everything)"
    return shown.to_string(index=False) + (note if omitted else "")


def _best_step(run: "runs.Run") -> int:
    return int(run.results["step"].iloc[0])


def _validation_loss(run: "runs.Run") -> float:
    return run.metrics.set_index("step").loc[_best_step(run), "validation_loss"]
