"""Try to break what the page `book/promises.md` promises, and write the page.

    python tests/benchmarks/promises.py measure         writes params/promises.json
    python tests/benchmarks/promises.py measure load    only its times and memory
    python tests/benchmarks/promises.py measure --test runs/test_sharing.py    only a new test
    python tests/benchmarks/promises.py page            writes the page from it

`tests/benchmarks/retrain.py` adds what a second training of published runs gives.

`measure` runs the tests at their larger scale, for about half an hour.

A trial that is not survived fails its test, and nothing is written.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import click

from lexurn.base import files, paths
from lexurn.runs import provenance

HERE = Path(__file__).parent
MEASURED = paths.root() / "params" / "promises.json"
TEMPLATE = HERE / "promises.md"
PAGE = paths.root() / "book" / "promises.md"

TESTS = (
    "runs/test_kills.py",
    "runs/test_killed_grids.py",
    "runs/test_damage.py",
    "runs/test_sharing.py",
    "runs/test_checkpoints.py",
    "runs/test_sampled_settings.py",
    "settings/test_resolver.py",
    "settings/test_yaml_files.py",
    "tasks/test_text.py",
    "publish/test_execution.py",
)
"""The tests that count what they try (`tests/tried.py`)."""

KINDS = (
    "transformers, LSTM, Mamba, xLSTM and linear models; urns, formal languages and text; endless "
    "and finite data; and a training that stops early"
)


@click.group()
def main() -> None:
    pass


@main.command()
@click.argument("parts", nargs=-1, type=click.Choice(["tried", "load"]))
@click.option("--test", "tests", multiple=True, type=click.Choice(TESTS))
def measure(parts: tuple[str, ...], tests: tuple[str, ...]) -> None:
    """Run the tests at their larger scale, and measure times and memory; or one of the two.

    With `--test`, only these tests run. Their counts are added, with a date of their own.
    """
    measured = json.loads(MEASURED.read_text())
    with tempfile.TemporaryDirectory() as folder:
        if tests:
            measured["added"] = {"tests": tests} | measure_tests(Path(folder) / "tried", tests)
        elif parts != ("load",):
            measured |= measure_tests(Path(folder) / "tried") | {"added": None}
        if not tests and parts != ("tried",):
            measured |= measure_load(Path(folder) / "load")
    files.write(MEASURED, json.dumps(measured, indent=2) + "\n")


def measure_tests(path: Path, tests: Sequence[str] = TESTS) -> dict:
    """Return what the tests tried, and when and where."""
    names = [str(HERE.parent / name) for name in tests]
    environment = os.environ | {"LEXURN_TRIED": str(path)}
    subprocess.run([sys.executable, "-m", "pytest", *names], env=environment, check=True)
    tried = Counter()
    for line in path.read_text().splitlines():
        row = json.loads(line)
        tried[row["what"]] += row["n"]
    return {
        "date": date.today().isoformat(),
        "commit": provenance.commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "tried": {what: tried[what] for what in sorted(tried, key=str.casefold)},
    }


def measure_load(path: Path) -> dict:
    """Return seconds and MB with many runs."""
    command = [sys.executable, str(HERE / "store.py"), "5000", "200", "50000", str(path)]
    subprocess.run(command, check=True)
    return {"load": json.loads(path.read_text())}


@main.command()
def page() -> None:
    """Write the page from what was measured."""
    files.write(PAGE, render(json.loads(MEASURED.read_text())))


def render(measured: dict) -> str:
    """Return the page's text."""
    added = measured.get("added") or {"tried": {}}
    tried = measured["tried"] | added["tried"]
    rows = (f"| {what} | {tried[what]:,} | 0 |" for what in sorted(tried, key=str.casefold))
    table = "\n".join(["| trial | tried | lost |", "|---|---:|---:|", *rows])
    stamp = f"Tried on {measured['date']} ({measured['machine']}), commit {measured['commit'][:8]}"
    if added["tried"]:
        names = ", ".join(added["tests"])
        stamp += f"; {names} on {added['date']}, commit {added['commit'][:8]}"
    numbers = measured["load"] | measured["retrained"]
    most, most_of_seeds = (float(numbers[name].split()[-1]) for name in ("far", "seeds_of_far"))
    if not most >= most_of_seeds:
        raise ValueError(
            f"another processor changes runs by {numbers['far']}, another seed by "
            f"{numbers['seeds_of_far']}; the page says the opposite, so write a new sentence"
        )
    return TEMPLATE.read_text().format(stamp=stamp, table=table, kinds=KINDS, **numbers)


if __name__ == "__main__":
    main()
