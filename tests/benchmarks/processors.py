"""The tests as other processors would compute them.

    python tests/benchmarks/processors.py [tests/chapters/test_coins.py ...]

Prints one line per setting and the tests that fail under it; the exit code is 1 if any test fails.
A setting is the kernels that OpenBLAS takes (numpy, scipy) and those that PyTorch takes, such as
`SkylakeX/avx2`. The other libraries that choose their kernels by processor (MKL and oneDNN in
PyTorch, numpy's own loops, glibc) follow PyTorch's choice.
Settings that this processor has no instructions for are left out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parents[2]
SETTINGS = [
    "Haswell/avx2",
    "Zen/avx2",
    "Prescott/default",
    "SkylakeX/avx512",
    "SkylakeX/avx2",
    "Haswell/default",
]
FLAGS = {
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    "default": set(),
}
FLAGS |= {
    "Haswell": FLAGS["avx2"],
    "Zen": FLAGS["avx2"],
    "SkylakeX": FLAGS["avx512"],
    "Prescott": {"pni"},
}
"""What a choice needs of the flags in /proc/cpuinfo; `pni` is SSE3."""

NUMPY_FEATURES = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
BEYOND_AVX2 = [feature for feature in NUMPY_FEATURES if "512" in feature or "V4" in feature]
FOLLOWING = {
    "avx512": {},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(BEYOND_AVX2),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
    },
    "default": {
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY_FEATURES),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-FMA",
    },
}
"""For each choice of PyTorch's: what keeps the other libraries from instructions beyond it."""


def processor_flags() -> set[str]:
    """Return the instruction sets of this processor, by their names in /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*: (.*)$", path.read_text() if path.exists() else "", re.MULTILINE)
    return set(found[1].split()) if found else set()


def environment(setting: str) -> dict[str, str]:
    """Return the environment variables of a setting such as `SkylakeX/avx2`."""
    openblas, torch = setting.split("/")
    return {"OPENBLAS_CORETYPE": openblas, "ATEN_CPU_CAPABILITY": torch, **FOLLOWING[torch]}


def run_tests(setting: str, files: Sequence[str]) -> tuple[bool, list[str]]:
    """Run pytest on the files under a setting, in one process.

    Returns whether all tests passed, and the summary followed by the failures.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        *files,
    ]
    process = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment(setting), capture_output=True, text=True
    )
    lines = (process.stdout + process.stderr).splitlines()
    summary = [line.strip(" =") for line in lines if re.search(r" in \d+\.\d+s", line)] or lines[
        -1:
    ]
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return process.returncode == 0, [*summary, *failures]


@click.command()
@click.argument("files", nargs=-1)
@click.option("--setting", "settings", multiple=True, default=SETTINGS, show_default=True)
def main(files: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Run the test FILES (all by default) under every setting that this processor can imitate."""
    all_passed = True
    for setting in settings:
        missing = set().union(*[FLAGS[choice] for choice in setting.split("/")]) - processor_flags()
        if missing:
            print(
                f"{setting}: left out, this processor has no {', '.join(sorted(missing))}",
                flush=True,
            )
            continue
        passed, (summary, *failures) = run_tests(setting, files)
        print("\n  ".join([f"{setting}: {summary}", *failures]), flush=True)
        all_passed &= passed
    sys.exit(0 if all_passed else 1)


if __name__ == "__main__":
    main()
