"""How long chapters take, one after the other on an idle machine: what `lexurn book` estimates.

    python tests/benchmarks/chapters.py smoke defaults book

This writes params/seconds.json; all runs are trained anew.
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


def measure(scale: str) -> dict[str, float]:
    """Seconds of each chapter at a scale: a file in `params/`, or the defaults."""
    params = None if scale == "defaults" else paths.root() / "params" / f"{scale}.yaml"
    wanted = dependencies.select_chapters((), params)
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
    for scale in sys.argv[1:]:
        known[scale] = measure(scale)
        known["made_with"][scale] = {
            "commit": provenance.commit(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }
        files.write(path, json.dumps(known, indent=2) + "\n")
