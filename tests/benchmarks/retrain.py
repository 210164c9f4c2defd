"""Train a random sample of the published runs again, and compare their results.

    LEXURN_RUNS=FOLDER python tests/benchmarks/retrain.py --n 200 --jobs 2 [--table FILE.csv]

A run is drawn with the same probability as any other, by a seed that is an option, so nobody
chooses. Runs in FOLDER that are trained already are compared without a new training, so the command
continues where it was interrupted.

How large is a difference? `difference` is the largest difference of a reported mean between the two
trainings, in standard errors of that mean over held-out sequences. `between_seeds` is the same for
two published runs that differ by their seed alone: a training that only repeats what its settings
fix, and not what its seed fixes, would differ by as much.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import click
import pandas as pd

from lexurn import runs
from lexurn.base import paths, terminal
from lexurn.runs import Run, store, workers
from lexurn.settings import Settings

ROW = ["split", "row", "reference", "measure"]


def sources(settings: Settings, named: dict[str, Run]) -> Iterator[Settings]:
    """Yield the settings of the runs that a training starts from, the first one first."""
    if settings.training.init_from:
        source = named[settings.training.init_from].settings
        yield from sources(source, named)
        yield source


def difference(first: Run, second: Run) -> float:
    """Return the largest difference of a mean, in standard errors of the first run's mean."""
    both = first.results.merge(second.results, on=ROW, suffixes=("", "_again"))
    both = both[both["sem"] > 0]
    return ((both["mean_again"] - both["mean"]).abs() / both["sem"]).max()


def compare(published: list[Run], others: dict[str, list[Run]]) -> pd.DataFrame:
    """Return a row for each published run with its second training and its other seeds.

    `others` holds the published runs by their settings without the seed (`kind_of`).
    """
    rows = []
    for run in published:
        again = Run(paths.runs() / run.settings.name)
        other_seeds = [other for other in others[kind_of(run)] if other.path != run.path]
        rows.append(
            {
                "name": run.path.name,
                "commit": run.provenance["commit"][:8],
                "bit_equal": run.results_hash == again.results_hash,
                "difference": difference(run, again),
                "between_seeds": difference(run, other_seeds[0]) if other_seeds else float("nan"),
                "seconds": run.provenance["seconds"],
                "seconds_again": again.provenance["seconds"],
            }
        )
    return pd.DataFrame(rows)


def kind_of(run: Run) -> str:
    """Return what is equal for two runs that differ by their seed alone."""
    return run.settings.replace(seed=0).key


@click.command()
@click.option("--n", default=200, help="How many runs are drawn.")
@click.option("--seed", default=0, help="Of the draw.")
@click.option("--jobs", default=1, help="Processes side by side.")
@click.option("--table", type=click.Path(path_type=Path), help="Also write a row for each run.")
def main(n: int, seed: int, jobs: int, table: Path | None) -> None:
    every = [Run(folder) for folder in store.folders(paths.published_results())]
    named = {store.key(run.path): run for run in every}
    others: dict[str, list[Run]] = {}
    for run in every:
        others.setdefault(kind_of(run), []).append(run)
    drawn = random.Random(seed).sample(every, min(n, len(every)))
    print(f"{len(drawn)} of {len(every)} runs; they took", end=" ")
    print(f"{sum(run.provenance['seconds'] for run in drawn) / 3600:.1f} h", flush=True)

    os.environ["LEXURN_FRESH"] = "1"  # from here on, also in other processes, no run is published
    needed = dict.fromkeys(s for run in drawn for s in sources(run.settings, named))
    for source in needed:
        runs.get(source)
    pause = terminal.Pause(60)
    with workers.Processes(jobs) as executor:
        failed = workers.train(
            [run.settings for run in drawn],
            executor,
            say=lambda text: print(text, flush=True) if pause.is_over() else None,
        )
    for point, trace in failed.items():
        print(f"{point.name} FAILED\n{trace}")

    rows = compare([run for run in drawn if run.settings not in failed], others)
    if table:
        rows.to_csv(table, index=False)
    changed = rows[~rows["bit_equal"]]
    print(f"{rows['bit_equal'].sum()} of {len(rows)} runs are equal to the last bit")
    print(f"median difference between seeds: {rows['between_seeds'].median():.3g} standard errors")
    for share in (0.5, 0.9, 1.0):
        value = changed["difference"].quantile(share)
        print(f"quantile {share} of the other differences: {value:.3g} standard errors")


if __name__ == "__main__":
    main()
