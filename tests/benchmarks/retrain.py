"""Train a random sample of the published runs again, and compare their results.

    LEXURN_RUNS=FOLDER python tests/benchmarks/retrain.py --n 200 --jobs 2

A run is drawn with the same probability as any other, by a seed that is an option, so nobody
chooses. Runs that were trained on a GPU are then left out. Runs in FOLDER that are trained already
are compared without a new training, so the command continues where it was interrupted. What it
finds is written to params/promises.json; then `python tests/benchmarks/promises.py page` shows it
on the page.

How large is a difference? `difference` is the largest difference of a reported mean between the two
trainings, in standard errors of that mean over held-out sequences. `between_seeds` is the same for
two published runs that differ by their seed alone: a training that repeats only what its settings
fix, and not what its seed fixes, would differ by as much.
"""

import json
import os
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import click
import pandas as pd

from lexurn import runs
from lexurn.base import files, paths, terminal
from lexurn.runs import Run, store, workers
from lexurn.settings import Settings

ROW = ["split", "row", "reference", "measure"]


def sources(settings: Settings, named: dict[str, Run]) -> Iterator[Settings]:
    """Yield the settings of the runs that a training starts from, the first one first."""
    if settings.training.init_from:
        source = named[settings.training.init_from].settings
        yield from sources(source, named)
        yield source


def kind_of(run: Run) -> str:
    """Return what is equal for two runs that differ by their seed alone."""
    return run.settings.replace(seed=0).key


def difference(first: Run, second: Run) -> float:
    """Return the largest difference of a mean, in standard errors of the first run's mean."""
    both = first.results.merge(second.results, on=ROW, suffixes=("", "_again"))
    both = both[both["sem"] > 0]
    return ((both["mean_again"] - both["mean"]).abs() / both["sem"]).max()


def compare(published: list[Run], others: dict[str, list[Run]]) -> pd.DataFrame:
    """Return a row for each published run with its second training and another seed.

    `others` holds the published runs by `kind_of`.
    """
    rows = []
    for run in published:
        again = Run(paths.runs() / run.settings.name)
        other_seeds = [other for other in others[kind_of(run)] if other.path != run.path]
        rows.append(
            {
                "name": run.path.name,
                "is_equal": run.results_hash == again.results_hash,
                "difference": difference(run, again),
                "between_seeds": difference(run, other_seeds[0]) if other_seeds else float("nan"),
                "same_processor": run.provenance["processor"] == again.provenance["processor"],
                "commit": again.provenance["commit"][:8],
            }
        )
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame, n_published: int) -> dict[str, Any]:
    """Return the numbers that the page of promises shows."""
    same, other = (rows[rows["same_processor"] == is_same] for is_same in (True, False))
    near = other.loc[other["difference"] < 0.1, "difference"]
    far = other.loc[other["difference"] >= 0.1, ["difference", "between_seeds"]]
    least, most = far.min(), far.max()
    return {
        "retrained_date": date.today().isoformat(),
        "retrained_commit": ", ".join(rows["commit"].unique()),
        "n_retrained": len(rows),
        "n_published": n_published,
        "n_same": len(same),
        "n_same_equal": int(same["is_equal"].sum()),
        "n_other": len(other),
        "n_near": len(near),
        "largest_near": f"{near.max():.2g}",
        "n_far": len(far),
        "far": f"{least['difference']:.2g} to {most['difference']:.2g}",
        "seeds_of_far": f"{least['between_seeds']:.2g} to {most['between_seeds']:.2g}",
    }


@click.command()
@click.option("--n", default=200, help="How many are drawn; of these, those of a GPU are left out.")
@click.option("--seed", default=0, help="Of the draw.")
@click.option("--jobs", default=1, help="Processes side by side.")
def main(n: int, seed: int, jobs: int) -> None:
    every = [Run(folder) for folder in store.folders(paths.published_results())]
    named = {store.key(run.path): run for run in every}
    others: dict[str, list[Run]] = {}
    for run in every:
        others.setdefault(kind_of(run), []).append(run)
    drawn = random.Random(seed).sample(every, min(n, len(every)))
    drawn = [run for run in drawn if run.provenance["device"] == "cpu"]
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
    rows = rows.sort_values("difference")
    print(rows.to_string(index=False))
    path = paths.root() / "params" / "promises.json"
    measured = json.loads(path.read_text()) | {"retrained": summary(rows, len(every))}
    files.write(path, json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
