"""Memory before work: estimates against measured peaks, refusals, and shortages."""

import json
import time
from pathlib import Path

import pytest
import torch
from processes import ForkedPython

from lexurn import runs
from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.base.ram import available_ram
from lexurn.runs import fit, memory, sweeps
from lexurn.settings import KINDS, resolver
from lexurn.settings.resolver import check
from lexurn.training import loop

TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 10, "context_length": 4}
GB = 10**9


def total(settings, *which):
    return sum(memory.estimate(settings, *which).values())


MEASURE = """
import json, sys
from lexurn import runs
from lexurn.runs import checkpoints, recording, tracking

def read(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

checkpoints.SECONDS = 0.0
before = read("VmRSS")
runs.get(json.loads(sys.argv[1]), tracker=tracking.Tracker())
print(read("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize(
    "flat",
    [
        {"backbone": "mamba", "d_model": 64, "n_layers": 2, "context_length": 127},
        {"backbone": "xlstm", "d_model": 64, "context_length": 127, "n_heads": 4},
        {"d_model": 384, "n_layers": 3, "batch_size": 2},  # a state is saved
        {"attention_dropout": 0.1, "d_model": 64, "n_heads": 8, "context_length": 127},
    ],
    ids=str,
)
def test_the_estimate_is_about_the_peak(flat):
    """Peaks of equal trainings differ by a tenth and more, so up to three are measured."""
    flat = {"batch_size": 64, "n_steps": 2, "eval_every": 2, "n_test_samples": 20} | flat
    for seed in range(3):
        output, errors = ForkedPython(MEASURE, json.dumps(flat | {"seed": seed})).communicate()
        peak = int(output or 0)
        assert peak > 100e6, errors
        if 0.9 * peak < total(check(flat)) < 2.2 * peak:
            break
    assert 0.9 * peak < total(check(flat)) < 2.2 * peak
    larger = check(flat | {"batch_size": 4 * flat["batch_size"], "d_model": 2 * flat["d_model"]})
    assert total(larger) > 2.2 * peak


def published_settings():
    """All that params/ asks for, with its file, once for all points that take equal memory."""
    settings = {}
    for file in (paths.root() / "params" / "sweeps").glob("*.yaml"):
        for point in sweeps.read(file).points:
            train = point.training
            steps = train.batch_size, train.eval_every, train.n_test_samples, train.n_checkpoints
            settings[point.task, point.vocabulary, point.backbone, steps] = point, file.stem
    for file in (paths.root() / "params").glob("*.yaml"):
        if file.stem not in ("claims", "pretrained"):
            flat = resolver.read(file, "train")
            settings |= {(file, kind): (check(flat | KINDS[kind]), file.stem) for kind in KINDS}
    return list(settings.values())


def test_everything_in_params_fits_into_16_gb_or_a_gpu_of_40_gb():
    settings = published_settings()
    assert len(settings) > 300
    seconds = []
    for _ in range(2):  # the first time also imports, which is no part of an estimate
        start = time.process_time()
        totals = [total(each) for each, _ in settings]
        seconds.append(time.process_time() - start)
    assert min(seconds) / len(settings) < 0.015  # 0.005 on an idle core, 0.010 beside other work
    for (each, name), n_bytes in zip(settings, totals, strict=True):
        if name.startswith("gpu_"):
            memory.require(each, {"GPU memory": 40 * GB, "RAM beside the GPU": 16 * GB})
        else:
            assert n_bytes < 16 * GB
    large = {name for (_, name), n_bytes in zip(settings, totals, strict=True) if n_bytes > 5 * GB}
    assert {"large", "gpu_10_rules_xlstm"} <= large and "headline" not in large


@pytest.mark.parametrize(
    ("flat", "largest", "name"),
    [
        ({"batch_size": 100_000}, "activations and gradients of a batch", "batch_size"),
        ({"eval_every": 90_000_000}, "saving the state", "eval_every"),
        ({"n_tasks": 10_000_000}, "references", "n_tasks"),
        ({"n_tasks": 1_000_000, "n_test_samples": 2}, "references", "n_tasks"),  # S is computed
        ({"n_test_samples": 1_000_000}, "evaluation", "n_test_samples"),
        ({"language": "aNbNcN", "context_length": 900}, "references", "context_length"),
        ({"n_checkpoints": 10_000, "n_layers": 2}, "joining the checkpoints", "n_checkpoints"),
        ({"n_colors": 8000, "n_test_samples": 2}, "sampling", "n_colors"),
        ({"d_model": 4096}, "saving the state", "d_model"),
        ({"backbone": "equivariant", "d_model": 1024}, "evaluation", "d_model"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_setting_that_fits(
    flat, largest, name, store, monkeypatch
):
    monkeypatch.setattr(memory, "available_ram", lambda: GB)
    settings = check(flat)
    with pytest.raises(ParameterError) as caught:
        runs.get(settings)
    message = str(caught.value)
    assert f" GB of them for {largest}" in message and " and 1 GB are free; " in message
    assert not store.exists() and "\n" not in message
    value = int(message.rpartition(f"use {name} ")[2].removesuffix(", which fits"))
    assert total(settings.replace(**{name: value})) <= GB < total(settings)
    assert total(settings.replace(**{name: 2 * value})) > GB
    with pytest.raises(ParameterError, match="this training needs about"):
        fit.estimate(settings)


def test_where_no_single_setting_helps_several_are_named():
    absurd = check({"d_model": 65_536, "n_layers": 8, "batch_size": 4096, "context_length": 10**6})
    with pytest.raises(ParameterError, match=r"lower several of batch_size, .* d_mlp, n_colors$"):
        memory.require(absurd, {"RAM": GB})


def test_a_gpu_holds_the_step_and_the_cpu_beside_it_the_data(monkeypatch):
    settings = check({"batch_size": 4096})
    on_gpu, beside = (total(settings, which) for which in ("GPU memory", "RAM beside the GPU"))
    assert on_gpu > 0.8 * total(settings) and beside < 0.2 * total(settings)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (500_000_000, 9 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300_000_000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100_000_000)
    free = memory.free_memory(torch.device("cuda"))
    assert list(free) == ["GPU memory", "RAM beside the GPU"] and free["GPU memory"] == 7e8
    with pytest.raises(ParameterError, match=r"of GPU memory, .* and 0.700 GB are free; use batch"):
        memory.require(settings, free)
    memory.require(settings, {**free, "GPU memory": 4 * GB})
    with pytest.raises(ParameterError, match=r"GB of RAM beside the GPU, .* 0.0500 GB are free"):
        memory.require(settings, {"GPU memory": 4 * GB, "RAM beside the GPU": 50_000_000})


def allocate():
    torch.empty(2**50)


def raise_error(error):
    raise error


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (allocate, "DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        (lambda: raise_error(MemoryError("no array of 8 TiB")), "no array of 8 TiB"),
        (lambda: raise_error(torch.cuda.OutOfMemoryError("CUDA out of memory")), "CUDA out of"),
        (lambda: raise_error(RuntimeError("MPS backend out of memory")), "MPS backend out of"),
    ],
    ids=["torch", "numpy", "cuda", "mps"],
)
def test_a_shortage_during_the_training_names_a_batch_size_that_fits(fail, said, monkeypatch):
    monkeypatch.setattr(memory, "available_ram", lambda: GB)
    monkeypatch.setattr(loop, "build_step", lambda *_, **__: lambda **inputs: fail())
    with pytest.raises(ParameterError) as caught:
        runs.get(TINY)
    message = str(caught.value)
    assert message.startswith("memory ran out during the training (") and said in message
    assert message.endswith("; use batch_size 16, which fits by an estimate")
    assert "\n" not in message and not runs.is_stored(check(TINY))
    assert caught.value.__context__.__traceback__ is None  # what was allocated is free again


def test_any_other_error_stays_as_it_is(monkeypatch):
    step = lambda *_, **__: lambda **inputs: raise_error(RuntimeError("shapes differ"))  # noqa: E731
    monkeypatch.setattr(loop, "build_step", step)
    with pytest.raises(RuntimeError, match="^shapes differ$"):
        runs.get(TINY)


MEMINFO = "MemTotal: 16000000 kB\nMemFree: 100 kB\nMemAvailable:    8000000 kB\n"


@pytest.mark.parametrize(
    ("groups", "files", "available"),
    [
        ("0::/user/job", {}, 8_192_000_000),  # no limits
        ("0::/job", {"job/memory.max": "max", "job/memory.current": "5"}, 8_192_000_000),
        (
            "0::/slurm/job/step",  # the limit is that of the job
            {
                "slurm/job/memory.max": "4000",
                "slurm/job/memory.current": "3000",
                "slurm/job/memory.stat": "anon 2500\ninactive_file 500\n",
            },
            1500,
        ),
        (
            "9:cpuset:/docker\n4:memory:/docker/1f\n0::/",  # seen from inside of a container
            {
                "memory/memory.limit_in_bytes": "4000",
                "memory/memory.usage_in_bytes": "3900",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
            },
            200,
        ),
    ],
)
def test_the_ram_that_control_groups_leave(groups, files, available, tmp_path):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_ram(tmp_path) == available
    (tmp_path / "proc/meminfo").write_text(MEMINFO.replace("MemAvailable", "Cached"))
    assert available_ram(tmp_path) == min(available, 102_400)


def test_the_ram_of_this_machine_and_of_one_without_proc(tmp_path):
    assert 1e8 < available_ram() <= available_ram(tmp_path)
