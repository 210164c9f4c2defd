"""From the grids of names to what the chapter shows: missing shares, contrasts, and verdicts.

The missing share is 1 − captured = exp(deficit). Its mean over urns is geometric, and its interval
is that of the mean deficit (t over urns).
"""

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd

from lexurn.base.wording import percent
from lexurn.chapters.names import law, standings
from lexurn.measures.intervals import Interval
from lexurn.publish import claims
from lexurn.runs import sweeps
from lexurn.runs.run import Run
from lexurn.settings import Settings, StudySettings

MANY_URNS = ("alphabets", "between", "repeats", "controls", "three", "blocks")
FEW_URNS = ("tables", "vectors", "rivals", "widths")

N_COLORS = 4

SPELLED = {
    "N4": "4 names",
    "N32 K8": "32 names, 8 alphabets",
    "N32 K512": "32 names, 512 alphabets",
    "N32 all": "any 4 of 32 names",
    "gaussian": "Gaussian tables",
}
"""The long names of cells."""

N_STEPS = 2000
"""Steps of the models in the files of the grids, but for the long ones and some controls."""


def read_grids(settings: Settings) -> dict[str, sweeps.Sweep]:
    """Return the chapter's grids by name, with its numbers of urns and of steps."""
    study, first = settings.study, settings.training.seed
    numbers = dict.fromkeys(MANY_URNS, study.n_seeds)
    numbers |= dict.fromkeys(FEW_URNS, few_urns(study)) | {"long": study.n_longer}
    passed_on = ("n_test_samples", "device", "threads", "tracker")
    changed = settings.changed()
    return {
        name: sweeps.read(
            f"names_{name}",
            changes={setting: changed[setting] for setting in passed_on if setting in changed},
            seeds=range(first, first + n),
            scale=settings.training.n_steps / N_STEPS,
        )
        for name, n in numbers.items()
    }


def few_urns(study: StudySettings) -> int:
    """Return the number of urns of the smaller grids: half as many, but not below three."""
    return max(study.n_seeds // 2, min(study.n_seeds, 3))


def annealed_points(long: sweeps.Sweep) -> list[Settings]:
    """Return trainings that go on from the long ones, in their order, with a falling rate."""
    steps = max(round(long.points[0].training.n_steps / 20), 1)
    changes = {"n_steps": steps, "eval_every": steps, "schedule": "cosine", "warmup": 0}
    return [
        Settings.from_flat(point.flat() | changes | {"init_from": point.key})
        for point in long.points
    ]


def stand(grid: sweeps.Sweep, models: Mapping[Settings, Run]) -> pd.DataFrame:
    """Return the standings of a grid's runs, with their `cell`."""
    runs = [models[point] for point in grid.points]
    return stand_runs(runs, law.cells_of([run.path.name for run in runs], grid.coordinates))


def runs_of(grid: sweeps.Sweep, models: Mapping[Settings, Run], cell: str, *, n: int) -> list[Run]:
    """Return the runs of a grid's cell, for its first `n` seeds."""
    cells = law.cells_of([point.name for point in grid.points], grid.coordinates)
    points = [point for point, other in zip(grid.points, cells, strict=True) if other == cell]
    return [models[point] for point in points[:n]]


def stand_runs(models: Sequence[Run], cells: Sequence[str]) -> pd.DataFrame:
    """Return the standings of some runs, with the `cell` of each."""
    return standings.standings(models).assign(cell=list(cells))


def by_urn(table: pd.DataFrame, column: str = "deficit") -> pd.DataFrame:
    """Return a column of standings with one row per urn and one column per cell."""
    cells = list(dict.fromkeys(table["cell"]))
    return table.pivot(index="seed", columns="cell", values=column)[cells]


def factor(differences: pd.Series) -> Interval:
    """Return exp of the mean of some log ratios, or deficits, over urns, with its interval."""
    mean = law.mean_over_urns(differences)
    return Interval(exp(mean.value), exp(mean.low), exp(mean.high), mean.n)


def in_words(value: float, low: float, high: float) -> str:
    """Return a number with its interval, or without one if there is none, to three digits."""
    texts = [f"{number:#.3g}".rstrip(".").replace("-", "−") for number in (value, low, high)]
    return texts[0] + f" ({texts[1]} to {texts[2]})" * (low == low)


def shares(deficits: pd.DataFrame) -> pd.DataFrame:
    """Return the missing share of each cell: cell, missing, low, high, n."""
    rows = []
    for cell in deficits:
        share = factor(deficits[cell].dropna())
        row = {"cell": cell, "missing": share.value, "low": share.low, "high": share.high}
        rows.append(row | {"n": share.n})
    return pd.DataFrame(rows)


def alphabets_table(fitted: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return what `plots.missing_by_alphabets` draws: cells with their shares, and the law."""
    parts = []
    for what, deficits in (("fitted", fitted), ("held out", held_out)):
        cells = law.cells(deficits)
        table = shares(deficits[list(cells.index)]).set_index("cell").join(cells)
        parts.append(table.assign(what=what))
    cells = law.cells(fitted)
    parameters = law.fit("distinct triples", cells)
    every = pd.concat([cells, law.cells(held_out)])
    for curve in law.curves("distinct triples", parameters, every):
        parts.append(curve.assign(missing=curve["deficit"].map(exp), what="law"))
    table = pd.concat(parts, ignore_index=True)
    names = table["n_names"].astype(int).map("{} names".format)
    table = table.assign(names=names).rename(columns={"n_alphabets": "alphabets"})
    table = table.sort_values(["n_names", "alphabets"])
    return table[["names", "what", "alphabets", "missing", "low", "high"]]


def captured_table(shares_by_column: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what is captured, with its interval, from tables of shares with the index `cell`."""
    columns = {}
    for column, table in shares_by_column.items():
        captured = 1 - table[["missing", "high", "low"]]
        texts = captured.map(percent)
        columns[column] = texts["missing"] + " [" + texts["high"] + ", " + texts["low"] + "]"
    last = list(shares_by_column.values())[-1]
    return pd.DataFrame(columns).loc[last.index].fillna("").assign(n=last["n"])


def gaps(seen: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return how many times larger the missing share is on new alphabets, by cell.

    Columns: cell, n_names, names, alphabets, per_name (alphabets in which a name occurs, on
    average), trained (the expected share of names that occur in any), seen (the missing share on
    alphabets of the training), new (on new ones) and factor (new / seen), the latter two with
    bounds. Cells that use all alphabets have none. `names` of designed alphabets says what they
    are.
    """
    rows = []
    for cell in seen:
        difference = (new[cell] - seen[cell]).dropna()
        if len(difference):
            names, alphabets = law.alphabets_of(cell)
            row = {"cell": cell, "n_names": names, "names": f"{names} names", "trained": 1.0}
            row |= {"alphabets": alphabets, "per_name": N_COLORS * alphabets / names}
            if law.is_random(cell):
                log_trained = law.distinct_subsets(1, log(alphabets), log(names))
                row["trained"] = exp(log_trained) / names
            else:
                row["names"] = "blocks" if cell.endswith("blocks") else "groups, lines"
            row["seen"] = factor(seen[cell]).value
            for name, logs in (("new", new[cell].dropna()), ("factor", difference)):
                mean = factor(logs)
                row |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
            rows.append(row)
    return pd.DataFrame(rows).sort_values(["n_names", "alphabets"], ignore_index=True)


def contrasts(pairs: Mapping[str, tuple[pd.Series, pd.Series]]) -> pd.DataFrame:
    """Return how many times larger a missing share is than another one, paired by urn.

    Columns: of, factor, low, high, n.
    """
    rows = []
    for name, (first, second) in pairs.items():
        ratio = factor((first - second).dropna())
        row = {"of": name, "factor": ratio.value, "low": ratio.low, "high": ratio.high}
        rows.append(row | {"n": ratio.n})
    return pd.DataFrame(rows)


def doubt_rows(doubts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell and number of steps of `doubt.doubts`, joined to `standings`.

    Columns: epsilon (the median, with its range), bounds (fits that ended at the end of the range),
    doubt and blend (the mean divergence that each fit leaves, divided by that from S), n.
    """
    groups = doubts.groupby(["cell", "steps"], sort=False)
    ranges = groups["epsilon"].agg(["median", "min", "max"]).itertuples(index=False)
    means = groups[["doubt", "blend", "kl_to_s"]].mean()
    return pd.DataFrame(
        {
            "epsilon": [f"{mid:.2g} ({low:.1g} to {high:.1g})" for mid, low, high in ranges],
            "bounds": groups["is_bound"].sum(),
            "doubt": means["doubt"] / means["kl_to_s"],
            "blend": means["blend"] / means["kl_to_s"],
            "n": groups.size(),
        }
    )


def along(models: Sequence[Run], cells: Sequence[str]) -> pd.DataFrame:
    """Return how far models are from S along training, in distribution; the best counter is at 1.

    Columns: cell, seed, step, share (the symmetrized KL from S, divided by the best counter's).
    """
    parts = []
    for run, cell in zip(models, cells, strict=True):
        distance = run.metrics["in_distribution/symmetrized_kl/symmetrized"]
        share = distance / standings.reference_distances(run)["best_to_s"]
        table = pd.DataFrame({"step": run.metrics["step"], "share": share})
        parts.append(table.assign(cell=cell, seed=run.settings.training.seed))
    return pd.concat(parts, ignore_index=True)


def mean_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return geometric means of `share` over urns: names, step, from_s, and sem from n ≥ 3."""
    logs = table.assign(share=np.log(table["share"]))
    groups = logs.groupby(["cell", "step"], sort=False)["share"]
    summary = groups.agg(["mean", "sem", "size"]).reset_index()
    mean = summary["mean"].map(exp)
    sem = (mean * summary["sem"]).where(summary["size"] >= 3)
    return pd.DataFrame(
        {"names": summary["cell"], "step": summary["step"], "from_s": mean, "sem": sem}
    )


def verdicts(measured: Mapping[str, Any], known: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per forecast: what it says, its band, our number, and the verdict."""
    rows = []
    for key, verdict in known.items():
        ours = measured[key]
        row = {"forecast": key.partition("/")[2], "band": claims.get(key).band, "ours": str(ours)}
        rows.append(row | {"n": ours.n, "verdict": verdict})
    return pd.DataFrame(rows)
