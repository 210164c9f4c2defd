"""What a run was made with: command, commit, versions, device, date, seconds."""

import contextlib
import platform
import subprocess
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from lexurn.base import paths
from lexurn.base.version import __version__
from lexurn.settings import TRAINING_VERSION, Settings, registry, resolver


def record(settings: Settings, device: str, bf16: bool) -> dict[str, Any]:
    """Return the provenance of a training that begins, ready for JSON, without date and seconds."""
    import torch  # not above: building the book asks for commits alone

    head = commit()
    return {
        "command": resolver.papermill_command("02_train", settings.changed()),
        "commit": head,
        "dirty": is_changed() if head else None,
        "training_version": TRAINING_VERSION,
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "processor": processor(),
        "precision": "bf16" if bf16 else "fp32",
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "versions": {
            "python": platform.python_version(),
            "lexurn": __version__,
            "torch": torch.__version__,
            "numpy": version("numpy"),
            **packages(settings),
        },
    }


def packages(settings: Settings) -> dict[str, str]:
    """Return the versions of the packages that registered the parts of a run, without lexurn's."""
    modules = registry.outside_modules(settings.part_names)
    distributions = packages_distributions() if modules else {}
    names = {name for module in modules for name in distributions.get(module, ())}
    return {name: version(name) for name in sorted(names)}


def commit() -> str | None:
    """Return the commit of this repository; None if lexurn is installed without its repository."""
    is_here = git("rev-parse", "--show-toplevel") == str(paths.LIBRARY.parent)
    return git("rev-parse", "HEAD") if is_here else None


def describe_commit(commit: str | None, changed: bool | None) -> str:
    """Return a commit as readers see it, `1a2b3c4` or `1a2b3c4 with changes`."""
    return f"{(commit or 'unknown')[:7]}{' with changes' if changed else ''}"


def is_changed() -> bool:
    """Return whether the files of this repository differ from its commit."""
    return bool(git("status", "--porcelain", "--untracked-files=no"))


def device() -> str:
    """Return what this process can compute on: the name of the GPU, or cpu."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def processor() -> str:
    """Return the name of this machine's processor, or else of its architecture."""
    with contextlib.suppress(OSError):  # only Linux has this file
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git(*command: str, folder: Path | None = None) -> str | None:
    """Return what a command of git prints, in a folder or the clone that this library is from.

    Returns None without git, if the command fails, or if it takes longer than ten seconds.
    """
    clone = paths.LIBRARY.parent
    trusted = f"safe.directory={clone}"  # its owner may be another user: its code runs anyway
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(
            ["git", "-c", trusted, "-C", str(folder or clone), *command],
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=10,
        ).strip()
    return None
