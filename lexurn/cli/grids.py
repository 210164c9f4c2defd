"""`lexurn sweep`: train a grid of runs here or on a cluster."""

import sys
import time
from pathlib import Path

import click

from lexurn.base import terminal
from lexurn.cli.making import COUNT, say


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only list the points and their states.")
@click.option("--jobs", default=1, help="Processes side by side.", **COUNT)
@click.option("--cluster", metavar="ADDRESS", help="Train on the workers of this Dask scheduler.")
@click.option("--max-points", default=1000, help="Refuse larger grids.", **COUNT)
def sweep(file: Path, dry_run: bool, jobs: int, cluster: str | None, max_points: int) -> None:
    """Train the points of a grid that are missing, and write all results to one table.

    A point is a run, identified by its settings, so an interrupted grid continues. A grid may name
    a scorer, a function of a run, whose rows join the table. Points that fail are reported at the
    end with their tracebacks, and the exit code is 1; the same command tries them again.
    """
    from lexurn import runs
    from lexurn.base import paths
    from lexurn.base.wording import duration
    from lexurn.runs import sweeps, tracking, workers
    from lexurn.runs.tracking.clock import makespan

    grid = sweeps.read(file, max_points=max_points)
    n_points = len(grid.points)
    missing = grid.missing()
    click.echo(f"{n_points} points: {n_points - len(missing)} done, {len(missing)} missing")
    if dry_run:
        names = {point.name for point in missing}
        for point in grid.points:
            click.echo(f"{'missing' if point.name in names else 'done':8} {point.name}")
        return

    start = time.monotonic()
    pause = terminal.Pause(0.5 if sys.stderr.isatty() else 10.0)

    def tell(text: str) -> None:
        if pause.is_over():
            say(text, False)

    def report(point: object, trace: str) -> None:
        if trace:
            say(f"{point.name}: FAILED", True)

    n_processes = 1 if cluster else jobs  # only the cluster knows its number of workers
    seconds = workers.expected_seconds(missing, say=tell)
    clock = tracking.Clock(seconds, n_processes=n_processes, speed=1.0)
    if missing:
        expected = duration(makespan(seconds, n_processes))
        say(f"about {expected} with {n_processes} process(es)", True)
    executor = workers.cluster(cluster) if cluster and missing else workers.Processes(jobs)
    try:
        failed = workers.train(
            missing, executor, report=report, say=tell, clock=clock, score=grid.score
        )
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        click.echo("stopped; trained runs are stored, the same command continues", err=True)
        raise SystemExit(130) from None
    executor.shutdown()
    if missing:
        n_trained = len(missing) - len(failed)
        took = duration(time.monotonic() - start)
        say(f"{n_trained} of {len(missing)} missing points trained in {took}", True)
    for trace in dict.fromkeys(failed.values()):
        names = ", ".join(point.name for point in failed if failed[point] == trace)
        click.echo(f"\nfailed: {names}\n{trace.strip()}", err=True)
    if done := grid.done():
        path = runs.write_table(f"sweep-{grid.name}", grid.table())
        click.echo(f"results of {len(done)} points: {path.relative_to(paths.runs().parent)}")
    if failed:
        click.echo(f"{len(failed)} of {n_points} points failed", err=True)
        raise SystemExit(1)
