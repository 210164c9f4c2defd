"""How long chapters take, one after the other on an idle machine: what `lexurn book` estimates.

    python tests/benchmarks/chapters.py smoke defaults book
    python tests/benchmarks/chapters.py defaults 05_names      some chapters of one scale

This writes params/seconds.json; runs that are not published are trained anew.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from lexurn.base import files, paths
from lexurn.publish import dependencies, execution
from lexurn.runs import provenance

SCALES = ("smoke", "defaults", "book")


def measure(scale: str, names: tuple[str, ...] = ()) -> dict[str, float]:
    """Seconds of each chapter, or of some, at a scale: a file in `params/`, or the defaults."""
    params = None if scale == "defaults" else paths.root() / "params" / f"{scale}.yaml"
    wanted = dependencies.select_chapters(names, params)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LEXURN_RUNS": f"{folder}/runs", "LEXURN_BUILD": folder}
        progress = execution.Progress(
            dict.fromkeys((chapter.name for chapter in wanted), None),
            lambda text, last: print(f"{scale}, {text}") if last else None,
            every=60.0,
        )
        execution.import_ahead(wanted)
        asyncio.run(execution.execute_all(wanted, progress, jobs=1, timeout=7200))
        failed = [chapter.name for chapter in wanted if chapter.record["failed"]]
        assert not failed, failed
        return {chapter.name: float(round(chapter.record["seconds"])) for chapter in wanted}


if __name__ == "__main__":
    path: Path = paths.root() / "params" / "seconds.json"
    known = json.loads(path.read_text()) if path.exists() else {"made_with": {}}
    chapters = tuple(name for name in sys.argv[1:] if name not in SCALES)
    for scale in filter(SCALES.__contains__, sys.argv[1:]):
        measured = measure(scale, chapters)
        known[scale] = known.get(scale, {}) | measured if chapters else measured
        known["made_with"][scale] = {
            "commit": provenance.commit(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }
        files.write(path, json.dumps(known, indent=2) + "\n")
