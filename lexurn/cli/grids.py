"""`lexurn sweep`: a grid of runs, trained here or on a cluster."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what there is to do.")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes side by side."
)
@click.option("--cluster", metavar="ADDRESS", help="Train on the workers of this Dask scheduler.")
@click.option(
    "--max-points",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="Refuse larger grids.",
)
def sweep(file: Path, dry_run: bool, jobs: int, cluster: str | None, max_points: int) -> None:
    """Train the points of a grid that are not trained yet, and gather the results in one table.

    A point is a run, found again by its settings: a grid that was cut off goes on. Points that fail are told at the end
    with their tracebacks, and the exit code is 1; the same command tries them again.
    """
    from lexurn import runs
    from lexurn.base import paths
    from lexurn.cli.making import say
    from lexurn.runs import sweeps, workers
    from lexurn.runs.tracking import Clock, duration

    grid = sweeps.read(file, max_points=max_points)
    missing, again = grid.missing(), grid.failed()
    there = (
        f"{len(grid.points)} points: {len(grid.points) - len(missing)} done, {len(missing)} missing"
    )
    click.echo(there + (f" ({len(again)} of them failed before)" if again else ""))
    if missing:
        n = 1 if cluster else jobs  # how many workers a cluster has, it alone knows
        click.echo(f"about {duration(sweeps.estimate(missing) / n)} with {n} process(es)")
    if dry_run:
        for point in grid.points:
            state = (
                "done" if point not in missing else "failed before" if point in again else "missing"
            )
            click.echo(f"{state:14} {point.name}")
        return
    n_ended, failed, clock = 0, {}, Clock(len(missing))
    clock.remaining(0)

    def tell(point: object, trace: str) -> None:
        nonlocal n_ended
        n_ended += 1
        left = clock.remaining(n_ended) if n_ended < len(missing) else "that was the last"
        say(
            f"{n_ended} of {len(missing)}, {point.name}: {'FAILED' if trace else 'done'}; {left}",
            bool(trace),
        )

    executor = workers.cluster(cluster) if cluster and missing else workers.Processes(jobs)
    try:
        failed = sweeps.train(missing, executor, tell=tell)
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        click.echo("stopped; what was trained is kept, and the same command goes on", err=True)
        raise SystemExit(130) from None
    executor.shutdown()
    for trace in dict.fromkeys(failed.values()):
        names = ", ".join(point.name for point, theirs in failed.items() if theirs == trace)
        click.echo(f"\nfailed: {names}\n{trace.strip()}", err=True)
    if grid.done():
        path = runs.write_table(f"sweep-{grid.name}", grid.table())
        click.echo(f"results of {len(grid.done())} points: {path.relative_to(paths.runs().parent)}")
    if failed:
        click.echo(f"{len(failed)} of {len(grid.points)} points failed", err=True)
        sys.exit(1)
