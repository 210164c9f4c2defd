"""`lexurn runs`: the stored runs, listed, shown, compared and deleted."""

import json
import shutil
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

    from lexurn.runs.run import Run


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
        click.echo(
            _listing(table)
            if len(table)
            else "no finished run" + (" with these settings" if settings else "")
        )
        for name, state in {} if settings else runs.unfinished().items():
            click.echo(f"unfinished: {name} ({state})")


@stored.command()
@click.argument("name")
@click.option(
    "--metrics", is_flag=True, help="Every line and column of the metrics along training."
)
def show(name: str, metrics: bool) -> None:
    """Settings, distances, provenance and metrics of one run."""
    from lexurn import runs
    from lexurn.measures import evaluation

    run = runs.load(name)
    made, loss = run.provenance, _validation_loss(run)
    click.echo(f"{run.path.name}\n{run.path}\n")
    changed = " ".join(f"{name}={value}" for name, value in run.settings.changed().items())
    click.echo(f"settings    {changed or 'the defaults'}")
    click.echo(
        f"best step   {_best_step(run)} of {run.metrics['step'].iloc[-1]}, validation loss {loss:.4f}"
    )
    dirty = " with changes" if made["dirty"] else ""
    click.echo(f"commit      {made['commit'] or 'unknown'}{dirty}")
    click.echo(
        f"trained     in {made['duration']} on {made['device']}, {made['threads']} thread(s), {made['precision']}"
    )
    click.echo(f"again with  {made['command']}")
    click.echo(
        f"\nsymmetrized KL to the references, in nats\n{evaluation.summary(run.results).to_string()}"
    )
    shown = run.metrics
    if not metrics:
        few = ["step", "train_loss", "validation_loss"]
        shown = shown[
            few
            + [
                column
                for column in shown
                if column.startswith("out_of_distribution/symmetrized_kl")
            ]
        ]
        shown = shown[[column for column in shown if not column.endswith("/last")]]
        shown = shown.rename(
            columns=lambda column: column.replace("out_of_distribution/symmetrized_kl/", "d_")
        )
    click.echo(
        f"\nalong training\n{shown.to_string(index=False, na_rep='', max_rows=None if metrics else 20)}"
    )


@stored.command()
@click.argument("names", nargs=-1, required=True)
def compare(names: tuple[str, ...]) -> None:
    """Settings that differ, and distances, of runs side by side."""
    import pandas as pd

    from lexurn import runs
    from lexurn.measures import evaluation
    from lexurn.runs import store

    loaded = {store.key(run.path)[: _digits()]: run for run in map(runs.load, names)}
    for short, run in loaded.items():
        click.echo(f"{short}  {run.path.name}")
    settings = pd.DataFrame(
        {short: pd.Series(run.settings.flat(), dtype=object) for short, run in loaded.items()}
    )
    differ = settings[settings.astype(str).nunique(axis=1) > 1].copy()
    differ.loc["best_step"] = [_best_step(run) for run in loaded.values()]
    differ.loc["validation_loss"] = [f"{_validation_loss(run):.4f}" for run in loaded.values()]
    click.echo(f"\n{differ.to_string()}")
    distances = pd.concat(
        {short: evaluation.summary(run.results).T.unstack() for short, run in loaded.items()},
        axis=1,
    )
    click.echo(f"\nsymmetrized KL to the references, in nats\n{distances.to_string(na_rep='')}")


@stored.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(names: tuple[str, ...], yes: bool) -> None:
    """Delete runs of one's own, finished or not."""
    from lexurn.runs import store

    folders = list(dict.fromkeys(map(store.deletable, names)))
    for folder in folders:
        click.echo(
            f"{folder.name}  {'' if store.is_finished(folder) else 'unfinished, '}{store.size(folder):,} bytes"
        )
    if not yes:
        click.confirm(
            f"Delete {'this run' if len(folders) == 1 else f'these {len(folders)} runs'}?",
            abort=True,
        )
    for folder in folders:
        store.delete(folder)
        click.echo(f"deleted {folder.name}")


def _assignments(texts: tuple[str, ...]) -> dict[str, str]:
    from lexurn.settings.resolver import ParameterError

    for text in texts:
        if "=" not in text:
            raise ParameterError(
                f"a setting is given as name=value, for example lex=True, got {text}"
            )
    return dict(text.split("=", 1) for text in texts)


def _listing(table: "pd.DataFrame") -> str:
    """A line for each run, no wider than the terminal: what does not fit is left out and named."""
    import pandas as pd

    from lexurn.measures.intervals import format_with_error
    from lexurn.runs import tracking
    from lexurn.settings import flat_names

    short = table["name"].str[-12:].str[: _digits()]
    shown = pd.DataFrame({"run": short, "kind": table["kind"], "seed": table["seed"]})
    told = {"seed", "lex", "label_permuted"}  # the last two by the kind
    differ = [
        name for name in flat_names() if name not in told and table[name].astype(str).nunique() > 1
    ]
    shown[differ] = table[differ].where(table[differ].notna(), "")
    shown["best step"] = table["best_step"]
    shown["loss"] = table["validation_loss"].map("{:.4f}".format)
    for reference in ("generalizing", "memorizing", "symmetrized"):
        if f"d_{reference}" in table:
            numbers = table[[f"d_{reference}", f"d_{reference}_sem"]].itertuples(index=False)
            texts = ["" if pd.isna(mean) else format_with_error(mean, sem) for mean, sem in numbers]
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
    from lexurn.runs import store

    keys = {store.key(folder) for folder in store.folders()}
    return next(n for n in range(6, 13) if len({key[:n] for key in keys}) == len(keys))


def _best_step(run: "Run") -> int:
    return int(run.results["step"].iloc[0])


def _validation_loss(run: "Run") -> float:
    return run.metrics.set_index("step").loc[_best_step(run), "validation_loss"]
