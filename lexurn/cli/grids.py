"""`lexurn sweep`: train a grid of runs here or on a cluster."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import click

from lexurn.cli.making import COUNT, say


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only list the points and their states.")
@click.option("--jobs", default=1, help="Processes side by side.", **COUNT)
@click.option("--cluster", metavar="ADDRESS", help="Train on the workers of this Dask scheduler.")
@click.option("--max-points", default=1000, help="Refuse larger grids.", **COUNT)
def sweep(file: Path, dry_run: bool, jobs: int, cluster: str | None, max_points: int) -> None:
    """Train the points of a grid that are missing, and write all results to one table.

    A point is a run, identified by its settings, so an interrupted grid continues. Points that fail
    are reported at the end with their tracebacks, and the exit code is 1; the same command tries
    them again.
    """
    from lexurn import runs
    from lexurn.base import paths
    from lexurn.base.wording import duration
    from lexurn.runs import fit, sweeps, workers

    grid = sweeps.read(file, max_points=max_points)
    n_points = len(grid.points)
    missing = grid.missing()
    click.echo(f"{n_points} points: {n_points - len(missing)} done, {len(missing)} missing")
    if dry_run:
        names = {point.name for point in missing}
        for point in grid.points:
            click.echo(f"{'missing' if point.name in names else 'done':8} {point.name}")
        return

    if missing:
        n_processes = 1 if cluster else jobs  # only the cluster knows its number of workers
        seconds = 0.0  # a few steps of each point show it; the seed changes nothing
        for point, n in Counter(point.of_kind(point.kind, seed=0) for point in missing).items():
            with suppress(Exception):  # the error is reported when the point is trained
                seconds += n * fit.estimate(point)
        click.echo(f"about {duration(seconds / n_processes)} with {n_processes} process(es)")

    def report(point: object, trace: str, count: str, time_left: str) -> None:
        say(f"{count}, {point.name}: {'FAILED' if trace else 'done'}; {time_left}", bool(trace))

    executor = workers.cluster(cluster) if cluster and missing else workers.Processes(jobs)
    try:
        failed = workers.train(missing, executor, report=report)
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        click.echo("stopped; trained runs are stored, the same command continues", err=True)
        raise SystemExit(130) from None
    executor.shutdown()
    for trace in dict.fromkeys(failed.values()):
        names = ", ".join(point.name for point in failed if failed[point] == trace)
        click.echo(f"\nfailed: {names}\n{trace.strip()}", err=True)
    if done := grid.done():
        path = runs.write_table(f"sweep-{grid.name}", grid.table())
        click.echo(f"results of {len(done)} points: {path.relative_to(paths.runs().parent)}")
    if failed:
        click.echo(f"{len(failed)} of {n_points} points failed", err=True)
        raise SystemExit(1)
