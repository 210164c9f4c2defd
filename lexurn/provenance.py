"""What a run was made with: command, commit, versions, device, seconds."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lexurn import parameters
from lexurn.settings import TRAINING_VERSION, Settings
from lexurn.tracking import duration


def record(settings: Settings, device: torch.device, bf16: bool, seconds: float) -> dict[str, Any]:
    """Provenance of a run that has just been trained, ready for JSON."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return {
        "command": parameters.papermill_line(settings),
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "training_version": TRAINING_VERSION,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": "bf16" if bf16 else "fp32",
        "threads": settings.machine.threads,
        "seconds": round(seconds, 1),
        "duration": duration(seconds),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("lexurn", "torch", "numpy")},
    }


def _git(*command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *command], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
