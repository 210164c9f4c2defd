"""Try to break what the page `book/promises.md` promises, and write the page.

    python tests/benchmarks/promises.py measure      writes params/promises.json
    python tests/benchmarks/promises.py page         writes the page from it

`measure` runs the tests at their larger scale, for about a quarter of an hour.

A trial that is not survived fails its test, and nothing is written.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
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
    "runs/test_damage.py",
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
def measure() -> None:
    """Run the tests at their larger scale and write what was tried."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        names = [str(HERE.parent / name) for name in TESTS]
        environment = os.environ | {"LEXURN_TRIED": str(counts)}
        subprocess.run([sys.executable, "-m", "pytest", *names], env=environment, check=True)
        tried = Counter()
        for line in counts.read_text().splitlines():
            row = json.loads(line)
            tried[row["what"]] += row["n"]
        load = Path(folder) / "load"
        command = [sys.executable, str(HERE / "store.py"), "5000", "200", "20000", str(load)]
        subprocess.run(command, check=True)
        measured = {
            "date": date.today().isoformat(),
            "commit": provenance.commit(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "tried": dict(sorted(tried.items())),
            "load": json.loads(load.read_text()),
        }
    files.write(MEASURED, json.dumps(measured, indent=2) + "\n")


@main.command()
def page() -> None:
    """Write the page from what was measured."""
    files.write(PAGE, render(json.loads(MEASURED.read_text())))


def render(measured: dict) -> str:
    """Return the page's text."""
    rows = (f"| {what} | {n:,} | 0 |" for what, n in measured["tried"].items())
    table = "\n".join(["| trial | tried | lost |", "|---|---:|---:|", *rows])
    stamp = f"Tried on {measured['date']} ({measured['machine']}), commit {measured['commit'][:8]}"
    return TEMPLATE.read_text().format(stamp=stamp, table=table, kinds=KINDS, **measured["load"])


if __name__ == "__main__":
    main()
