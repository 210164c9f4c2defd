"""What a reader waits for: measured here, and shown on the page `book/costs.md`.

    python tests/benchmarks/costs.py measure [--rounds 5]      writes params/costs.json
    python tests/benchmarks/costs.py page                      writes the page and its figures

The page's text stands in costs.md, and the script fills in the numbers. They are in
params/costs.json, with the machine that they were measured on, or in params/seconds.json (see
chapters.py), or follow from these by arithmetic. Times are CPU seconds of one thread, which other
work on the machine disturbs less than the clock. Each is the median of some rounds, with the lowest
and the highest.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))
import predictors
import step

from lexurn import models
from lexurn.base import files, paths
from lexurn.base.seeding import generator
from lexurn.base.threads import set_threads
from lexurn.figures import figure_card, plots
from lexurn.predictors import compiled
from lexurn.runs import provenance
from lexurn.settings import resolver

HERE = Path(__file__).parent
MEASURED = paths.root() / "params" / "costs.json"
SECONDS = paths.root() / "params" / "seconds.json"
PAGE = paths.root() / "book" / "costs.md"
TEMPLATE = HERE / "costs.md"
FIGURES = paths.root() / "book" / "assets" / "costs"

KINDS = {"normal": False, "lexical": True}
WIDTHS = [32, 64, 128]
N_STEPS = 100
BASE = {"V": 8, "D": 4, "C": 64, "n": 200}
GROWTH = {
    "V": [6, 8, 11, 14],
    "D": [4, 16, 64, 256],
    "C": [32, 64, 128, 256],
    "n": [200, 400, 800, 1600],
}
SMALLER = {"V": {"D": 1, "n": 100}}
"""What replaces BASE while a size grows."""

AXES = {"V": "colours V", "D": "urns D", "C": "context C", "n": "sequences n"}

TIME_RUN = "import json, run, sys; print(json.dumps(run.time_run(json.loads(sys.argv[1]))))"
"""What a new process does, without the imports of this one."""

SCALES = ["small", "medium", "large", "experiment"]

Row = dict[str, Any]


def in_rounds(points: Iterable[Row], measure: Callable[[Row], dict[str, float]], n: int) -> list:
    """Return each point with the median, lowest and highest of n measurements, made in turn."""
    points = list(points)
    rounds = [[measure(point) for point in points] for _ in range(n)]
    rows = []
    for point, *measured in zip(points, *rounds, strict=True):
        row = dict(point)
        for name in measured[0]:
            values = [each[name] for each in measured]
            row[name] = {"median": statistics.median(values), "range": [min(values), max(values)]}
        rows.append(row | {"rounds": n})
    return rows


def time_step(point: Row) -> dict[str, float]:
    settings = resolver.check({"lex": KINDS[point["kind"]], "d_model": point["d_model"]})
    seconds = step.seconds_in_loop(settings, N_STEPS)
    return {"seconds": seconds, "operations per second": step.operations(settings) / seconds}


def time_run(point: Row) -> dict[str, float]:
    """Train a run with the default settings in a new process, with a store of its own."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-c", TIME_RUN, json.dumps({"lex": KINDS[point["kind"]]})]
        own = {"LEXURN_RUNS": store, "PYTHONPATH": f"{paths.root()}{os.pathsep}{HERE}"}
        printed = subprocess.check_output(command, env=os.environ | own, stderr=subprocess.DEVNULL)
    return json.loads(printed.splitlines()[-1])


def time_symmetrized(point: Row) -> dict[str, float]:
    pool, tokens = predictors.draw(*(point[size] for size in BASE))
    return {"seconds": predictors.cpu_seconds(predictors.Symmetrized(pool), tokens)}


def measure_all(rounds: int) -> dict[str, Any]:
    set_threads(1)
    compiled.MIN_SECONDS = 0  # loops at every size, so that their growth is seen
    sizes = [
        {"axis": size} | BASE | SMALLER.get(size, {}) | {size: value}
        for size, values in GROWTH.items()
        for value in values
    ]
    time_symmetrized(sizes[0] | {"V": 12})  # loads the compiled loops
    steps = [{"kind": kind, "d_model": width} for width in WIDTHS for kind in KINDS]
    return {
        "made_with": {
            "processor": provenance.processor(),
            "cores": os.cpu_count(),
            "platform": platform.platform(),
            "torch": torch.__version__,
            "threads": 1,
            "load": os.getloadavg()[0],  # processes that ran or waited
            "date": date.today().isoformat(),
            "commit": provenance.describe_commit(provenance.commit(), provenance.is_changed()),
        },
        "steps": in_rounds(steps, time_step, rounds),
        "runs": in_rounds([{"kind": kind} for kind in KINDS], time_run, rounds),
        "symmetrized": in_rounds(sizes, time_symmetrized, rounds),
    }


def digits(value: float) -> str:
    """Return a number with at most three significant digits, in plain notation."""
    return f"{float(f'{value:.2g}'):,g}" if value < 100 else f"{float(f'{value:.3g}'):,.0f}"


def with_range(measured: dict[str, Any], scale: float = 1.0) -> str:
    low, high = (digits(scale * value) for value in measured["range"])
    return f"{digits(scale * measured['median'])} ({low} to {high})"


def steps_table(measured: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"who": row["kind"], "width d_model": row["d_model"], "ms": 1e3 * row["seconds"]["median"]}
        for row in measured["steps"]
    )


def symmetrized_table(measured: dict[str, Any]) -> pd.DataFrame:
    """Return measured seconds, and those of the law V 2^V · D · C · n through the largest point."""
    rows = []
    for size in GROWTH:
        points = [row for row in measured["symmetrized"] if row["axis"] == size]
        last = points[-1]["seconds"]["median"] / predictors.COSTS["S"](**sizes_of(points[-1]))
        for row in points:
            law = last * predictors.COSTS["S"](**sizes_of(row))
            common = {"axis": AXES[size], "size": row[size]}
            rows.append(common | {"who": "law", "seconds": law})
            rows.append(common | {"who": "symmetrized", "seconds": row["seconds"]["median"]})
    return pd.DataFrame(rows)


def sizes_of(row: Row) -> dict[str, int]:
    return {size: row[size] for size in BASE}


def scale_rows(measured: dict[str, Any]) -> list[list[str]]:
    """Return what the scales beyond this machine take, from the pace of the fastest step."""
    pace = max(row["operations per second"]["median"] for row in measured["steps"])
    rows = []
    for name in SCALES:
        common, specific = resolver.read_parts(paths.root() / "params" / f"{name}.yaml", "train")
        settings = resolver.check(common | specific)
        model = models.build(settings, generator=generator(0, "weights"))
        seconds = step.operations(settings) / pace
        n_steps = settings.training.n_steps
        rows.append(
            [
                f"`params/{name}.yaml`",
                f"{models.summary(model)['all'] / 1e6:.2g} million",
                f"{n_steps:,}",
                f"{digits(seconds)} s",
                f"{digits(n_steps * seconds / 3600)} h",
            ]
        )
    return rows


def chapter_rows(seconds: dict[str, Any]) -> list[list[str]]:
    scales = ["book", "defaults"]
    rows = [
        [f"[{name}]({name})"]
        + [f"{seconds[scale][name]:.0f} s" if name in seconds[scale] else "" for scale in scales]
        for name in seconds["book"]
    ]
    totals = [f"{sum(seconds['book'].values()):.0f} s", ""]
    return [*rows, ["all", *totals]]


def as_table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def render_page(measured: dict[str, Any], seconds: dict[str, Any]) -> str:
    machine = measured["made_with"]
    steps = {(row["kind"], row["d_model"]): row["seconds"] for row in measured["steps"]}
    of_kind = {row["kind"]: row for row in measured["runs"]}
    by_axis = {
        size: [row["seconds"]["median"] for row in measured["symmetrized"] if row["axis"] == size]
        for size in GROWTH
    }
    ratios = [steps["lexical", w]["median"] / steps["normal", w]["median"] for w in WIDTHS]
    wide = steps["normal", 128]["median"] / steps["normal", 32]["median"]
    per_color = (by_axis["V"][-1] / by_axis["V"][-2]) ** (1 / (GROWTH["V"][-1] - GROWTH["V"][-2]))
    normal, lexical = of_kind["normal"], of_kind["lexical"]
    share = {kind: row["loop"]["median"] / row["get"]["median"] for kind, row in of_kind.items()}
    peak = max(row["peak_mb"]["median"] for row in of_kind.values())
    pace = max(row["operations per second"]["median"] for row in measured["steps"])
    assert max(ratios) < 1.5, "lexical steps are no longer about as fast as normal ones"
    assert 2 < per_color < 3, "one more colour no longer costs two to three times the time"
    for size in ("D", "C", "n"):
        growth = by_axis[size][-1] / by_axis[size][0] * GROWTH[size][0] / GROWTH[size][-1]
        assert 0.7 < growth < 1.3, f"the time of S no longer grows in proportion to {size}"
    assert wide < 16, "a width of 128 no longer costs less than its sixteenfold operations"
    return TEMPLATE.read_text().format(
        stamp=(
            f"Measured on {machine['date']} at commit `{machine['commit']}`, on one core of "
            f"{machine['processor']} ({machine['cores']} cores), with torch `{machine['torch']}`, "
            f"at a load average of {machine['load']:.0f}"
        ),
        rounds=normal["rounds"],
        normal_32=with_range(steps["normal", 32], 1e3),
        lexical_32=with_range(steps["lexical", 32], 1e3),
        normal_128=with_range(steps["normal", 128], 1e3),
        wide=digits(wide),
        ratio=f"{max(ratios):.2f}",
        normal_run=with_range(normal["process"]),
        lexical_run=with_range(lexical["process"]),
        imports=digits(normal["process"]["median"] - normal["get"]["median"]),
        normal_share=f"{100 * share['normal']:.0f} %",
        lexical_share=f"{100 * share['lexical']:.0f} %",
        peak=digits(peak),
        v_base=", ".join(f"{k} = {v}" for k, v in (BASE | SMALLER["V"]).items() if k != "V"),
        v_first=GROWTH["V"][0],
        v_before=GROWTH["V"][-2],
        v_last=GROWTH["V"][-1],
        s_first=digits(by_axis["V"][0]),
        s_last=digits(by_axis["V"][-1]),
        per_color=digits(per_color),
        least=compiled.MIN_SECONDS,
        base=", ".join(f"{k} = {v}" for k, v in BASE.items()),
        chapters=as_table(
            ["chapter", "scale of this book", "defaults, trained anew"], chapter_rows(seconds)
        ),
        book_commit=seconds["made_with"]["book"]["commit"][:7],
        defaults_commit=seconds["made_with"]["defaults"]["commit"][:7],
        chapters_machine=seconds["made_with"]["book"]["machine"],
        scales=as_table(
            ["scale", "weights", "steps", "a step", "training on one core"], scale_rows(measured)
        ),
        pace=digits(pace / 1e9),
    )


def tables_of_figures(measured: dict[str, Any]) -> dict[str, pd.DataFrame]:
    return {"steps": steps_table(measured), "symmetrized": symmetrized_table(measured)}


def draw_figures(measured: dict[str, Any]) -> None:
    """Draw both figures as cards are drawn, and write the pictures and tables beside the page."""
    panels = {"by": "axis", "log": ["size", "seconds"], "size": (3.4, 2.6)}
    options = {
        "steps": {"x": "width d_model", "y": "ms", "legend": "model"},
        "symmetrized": {"x": "size", "y": "seconds", "legend": "", **panels},
    }
    n = f"medians of {measured['steps'][0]['rounds']} rounds"
    for name, table in tables_of_figures(measured).items():
        drawn = figure_card.card(plots.curves, table, name=name, alt=name, n=n, **options[name])
        files.write(FIGURES / f"{name}.png", drawn.pictures[0])
        files.write(FIGURES / f"{name}.csv", drawn.table)


@click.group()
def main() -> None:
    pass


@main.command("measure")
@click.option("--rounds", default=5, show_default=True, help="measurements of every number")
def command_measure(rounds: int) -> None:
    files.write(MEASURED, json.dumps(measure_all(rounds), indent=1) + "\n")


@main.command("page")
def command_page() -> None:
    measured = json.loads(MEASURED.read_text())
    draw_figures(measured)
    files.write(PAGE, render_page(measured, json.loads(SECONDS.read_text())))


if __name__ == "__main__":
    main()
