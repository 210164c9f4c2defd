"""What a run was made with: command, commit, versions, device, date, seconds."""

import contextlib
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexurn.base import paths
from lexurn.base.version import __version__
from lexurn.settings import TRAINING_VERSION, Settings, resolver


def record(settings: Settings, device: torch.device, bf16: bool) -> dict[str, Any]:
    """Provenance of a run that is about to be trained, ready for JSON; its date and seconds come when it is done."""
    made_at = commit()
    return {
        "command": resolver.papermill_command(settings),
        "commit": made_at,
        "dirty": is_changed() if made_at else None,
        "training_version": TRAINING_VERSION,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor(),
        "precision": "bf16" if bf16 else "fp32",
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "versions": {
            "python": platform.python_version(),
            "lexurn": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def commit() -> str | None:
    """The commit of this repository; None where lexurn was installed, perhaps inside another project's."""
    ours = _git("rev-parse", "--show-toplevel") == str(paths.LIBRARY.parent)
    return _git("rev-parse", "HEAD") if ours else None


def short(commit: str | None, changed: bool | None) -> str:
    """A commit as readers see it, with whether the files differed from it."""
    return f"{(commit or 'unknown')[:7]}{' with changes' if changed else ''}"


def is_changed() -> bool:
    """Whether the files of this repository differ from its commit."""
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def device() -> str:
    """What this process computes on where it may choose: the name of the GPU, or cpu."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def processor() -> str:
    """The name of this machine's processor, or of its architecture where that is all there is."""
    with contextlib.suppress(OSError):  # no such file but on Linux
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *command],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
