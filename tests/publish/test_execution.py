"""The book is built in other processes: killed, stopped, on a full disk, after a line changed."""

import asyncio
import contextlib
import json
import os
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import pytest
import tried
from chapter_sources import BODIES, HEADER

from lexurn.base import paths
from lexurn.publish import dependencies, execution, kernels

TRAINS = """from lexurn import parameters
settings = parameters.resolve("trains")

# %%
from lexurn import figure, runs, table
from lexurn.chapters.train import plots
from lexurn.chapters.train.live import LiveTraining
live = LiveTraining(settings.training.n_steps)
flat = settings.changed() | {"n_test_samples": 20, "context_length": 8, "eval_every": 100}
run = runs.get(flat, tracker=live)

# %%
table(run.metrics[["step", "train_loss"]], caption="The loss falls with the steps.", name="steps")

# %%
words = {"alt": "Losses.", "caption": "The training loss falls with the steps.", "n": "1 model"}
figure(plots.losses, run.metrics, runs=[run], **words)
"""


BOTH = """import lexurn.base.wording
from lexurn import parameters
print(parameters.resolve("both").training.seed)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the repository with two small chapters."""
    real, copy = paths.root(), tmp_path / "repository"
    shutil.copytree(real / "lexurn", copy / "lexurn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(real / "book" / "assets", copy / "book" / "assets")
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(real / name, copy / name)
    (copy / "book" / "index.md").write_text("# The book\n")
    monkeypatch.setenv("LEXURN_BUILD", str(copy))
    (copy / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n"
        "  - file: parameters\n  - file: cheat_sheet\n  - file: execution\n  - file: claims\n"
    )
    for name, body in BODIES.items():
        add_chapter(copy, name, body)
    return copy


def add_chapter(root, name, body):
    text = HEADER.replace(
        "seed: int = 0  # help", "seed: int = 0  # help\nn_steps: int = 1000  # help"
    )
    (root / "book" / f"{name}.py").write_text(text + body)
    contents = root / "book" / "_toc.yml"
    contents.write_text(contents.read_text() + f"  - file: {name}\n")


def book(root, *arguments, **options):
    """`lexurn book` in the copy, begun."""
    environment = os.environ | {"PYTHONPATH": str(root), "LEXURN_RUNS": str(root / "runs")}
    command = [sys.executable, "-m", "lexurn", "book", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=root, env=environment, **pipes, **options)


def finished(process, code=0):
    output, errors = process.communicate(timeout=200)
    assert process.returncode == code, output + errors
    return output + errors


def executed(said):
    return re.findall(r"to execute: (\w+), ", said)


def outputs(root, name):
    """Of each cell of an executed chapter: its source and what it shows."""
    cells = jupytext.read(root / "_build" / "executed" / f"{name}.ipynb").cells
    return [
        (cell.source, output)
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def shown(root, name):
    """Tables and cards of an executed chapter, all but what says how long the training took."""
    data = [
        output["data"] for source, output in outputs(root, name) if "LiveTraining" not in source
    ]
    return [each.get("text/html") for each in data]


def processes(root):
    """Those that were started for the copy, by their environment."""
    started = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"LEXURN_BUILD={root}\0".encode() in path.read_bytes():
                started.append(path.parent.name)
    return started


@pytest.mark.book
def test_a_build_killed_at_random_moments_ends_with_the_same_tables_and_figures(root):
    add_chapter(root, "03_trains", TRAINS)
    params = root / "params.yaml"
    params.write_text("n_steps: 300\n")
    began = time.monotonic()
    finished(book(root, "--params", str(params), "--chapter", "trains"))
    whole, seconds = shown(root, "03_trains"), time.monotonic() - began
    assert len(whole) >= 2 and any("lexurn-card" in text for text in whole)
    shutil.rmtree(root / "_build")
    shutil.rmtree(root / "runs")

    stage, moments = random.Random(0), []
    for _ in range(n_kills := tried.scale(3, 20)):
        process = book(root, "--params", str(params), "--chapter", "trains", start_new_session=True)
        moments.append(stage.uniform(0.1, 0.8) * seconds)
        time.sleep(moments[-1])
        process.kill()
        process.communicate()
    print(f"killed after {', '.join(f'{moment:.1f} s' for moment in moments)} of {seconds:.1f} s")
    finished(book(root, "--params", str(params), "--chapter", "trains"))
    assert shown(root, "03_trains") == whole
    assert not list((root / "_build" / "work").iterdir())
    tried.count("killed while the book is built", n_kills)
    html = (root / "_build" / "html" / "03_trains.html").read_text()
    assert "n_steps = 300" in re.sub(r"<[^>]*>", "", html)


@pytest.mark.book
def test_chapters_side_by_side_share_a_run_and_both_show_it(root):
    add_chapter(root, "03_trains", TRAINS)
    add_chapter(root, "04_too", TRAINS.replace('"trains"', '"too"'))
    params = root / "params.yaml"
    params.write_text("n_steps: 800\n")
    finished(
        book(
            root, "--params", str(params), "--jobs", "2", "--chapter", "trains", "--chapter", "too"
        )
    )
    for name in ("03_trains", "04_too"):
        found = [output for _, output in outputs(root, name)]
        assert not [output for output in found if output["output_type"] == "stream"], name
        assert any("lexurn-card" in output["data"].get("text/html", "") for output in found)
    waited = [
        (root / "_build" / "executed" / f"{name}.ipynb").read_text()
        for name in ("03_trains", "04_too")
    ]
    assert sum("Another process is training this run" in text for text in waited) == 1


def test_threads_are_divided_by_what_runs_side_by_side(monkeypatch):
    handed = {}

    async def execute(chapter, progress, *, threads, timeout):
        handed[chapter.name] = threads
        return {"failed": "", "seconds": 1.0}

    monkeypatch.setattr(execution, "execute", execute)
    progress = execution.Progress({}, lambda text, last: None, every=1.0)
    many = [dependencies.Chapter(f"0{number}_x", {"threads": 4}) for number in range(3)]
    for some, jobs, wanted in ((many, 1, 4), (many, 2, 2), (many, 8, 1), (many[:1], 2, 4)):
        handed.clear()
        asyncio.run(execution.execute_all(some, progress, jobs=jobs, timeout=9))
        assert handed == dict.fromkeys((chapter.name for chapter in some), wanted)


@pytest.mark.book
def test_ctrl_c_stops_every_process_and_keeps_what_was_done(root):
    add_chapter(root, "03_sleeps", "import time\ntime.sleep(100)\n")
    process = book(
        root,
        "--jobs",
        "3",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    ended = root / "_build" / "executed"
    while not ((ended / "01_good.json").exists() and (ended / "02_other.json").exists()):
        time.sleep(0.2)
        assert process.poll() is None, process.communicate()
    assert len(processes(root)) >= 3  # the build, the server and a kernel
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    said = finished(process, 130)
    assert (
        "stopped; finished chapters are stored, the same command continues" in said
        and time.monotonic() - began < 15
    )
    assert (
        "01_good: done" in said
        and "02_other: done" in said
        and "03_sleeps" not in "".join(os.listdir(ended))
    )
    while left := processes(root):
        assert time.monotonic() - began < 20, left
        time.sleep(0.2)
    (root / "book" / "03_sleeps.py").write_text(HEADER + "print('awake')\n")
    assert executed(finished(book(root))) == ["03_sleeps"]


@pytest.mark.book
def test_one_line_changed_in_a_module_executes_again_what_had_loaded_it(root):
    add_chapter(root, "03_both", BOTH)
    said = finished(book(root, "--jobs", "2"))
    assert executed(said) == ["01_good", "02_other", "03_both"]
    for module, wanted in (
        ("base/wording", ["02_other", "03_both"]),
        ("settings/training", ["01_good", "03_both"]),
        ("publish/site", []),
    ):
        path = root / "lexurn" / f"{module}.py"
        path.write_text(path.read_text() + "\n# one line more\n")
        said = finished(book(root))
        assert executed(said) == wanted, module
        assert "the site is at" in said  # the library's pages are made from it


@pytest.mark.book
def test_a_full_disk_is_told_and_the_same_command_goes_on(root):
    (root / "book" / "02_other.py").write_text(HEADER + "print('long ' * 40_000)\n")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))

    said = finished(
        book(root, "--chapter", "good", "--chapter", "other", preexec_fn=small_files), 1
    )
    assert "01_good: done" in said and "File too large" in said and "Traceback" not in said
    said = finished(book(root, "--chapter", "good", "--chapter", "other"))
    assert executed(said) == ["02_other"] and "the site is at" in said


@pytest.mark.book
def test_a_build_that_cannot_be_written_or_rendered_is_refused_before_any_work(root, monkeypatch):
    (root / "file").touch()
    monkeypatch.setenv("LEXURN_BUILD", str(root / "file"))
    assert re.search(
        r"cannot write .*: Not a directory; set LEXURN_RUNS, or LEXURN_BUILD",
        finished(book(root), 1),
    )
    monkeypatch.setenv("LEXURN_BUILD", str(root))
    hidden = (
        "import sys; sys.modules['jupyter_book'] = None; sys.argv[0] = 'lexurn'; "
        "from lexurn.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, "book"], cwd=root, capture_output=True, text=True
    )
    assert (
        done.returncode == 1
        and "needs version 1 of jupyter-book; pip install -e '.[book]'" in done.stderr
    )
    assert not (root / "_build").exists()


FORKED = """
import asyncio, sys
from pathlib import Path
import jupytext
from lexurn.publish import kernels

kernels.import_ahead(["matplotlib.pyplot"])
source, result = map(Path, sys.argv[1:])
notebook = jupytext.read(source)
options = {"folder": source.parent, "timeout": 60, "on_cell_start": lambda **_: None}
assert asyncio.run(kernels.execute(notebook, **options)) == ""
jupytext.write(notebook, result)
"""
IN_THE_KERNEL = """import sys
print([name for name in sys.modules if name.split(".")[0] == "lexurn"], "matplotlib" in sys.modules)
import matplotlib.pyplot as plt
plt.plot([1, 2]);

# %%
from lexurn.runs import workers
with workers.Processes(2) as executor:
    print(list(executor.map(abs, [-1, 2])))
"""


@pytest.mark.book
@pytest.mark.skipif(not kernels.CAN_FORK, reason="kernels are forked on Linux only")
def test_a_forked_kernel_has_packages_but_not_lexurn_and_draws_and_starts_processes(tmp_path):
    source, result = tmp_path / "source.ipynb", tmp_path / "result.ipynb"
    jupytext.write(jupytext.reads(HEADER + IN_THE_KERNEL, "py:percent"), source)
    command = [sys.executable, "-c", FORKED, source, result]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, picture, last = [
        output for cell in jupytext.read(result).cells for output in cell.get("outputs", [])
    ]
    assert first["text"] == "[] True\n" and "image/png" in picture["data"]
    assert last["text"] == "[1, 2]\n"


def test_progress_is_told_with_the_time_that_is_left():
    said = []
    progress = execution.Progress(
        {"01_a": 100.0, "02_b": None}, lambda text, last: said.append((text, last)), every=9.0
    )
    progress.start_cell("01_a", "cell 3 of 20")
    progress.start_cell("02_b", "cell 5 of 5")
    assert progress.status() == "01_a: cell 3 of 20, about 1 min 40 s left; 02_b: cell 5 of 5"
    progress.end("01_a", "done (9 s)")
    assert progress.status() == "02_b: cell 5 of 5" and said == [("01_a: done (9 s)", True)]


def test_waits_are_cut_in_slices_and_still_end_in_time():
    asked = []

    async def never(_, timeout):
        asked.append(timeout)
        await asyncio.sleep(timeout)
        raise queue.Empty

    began = time.monotonic()
    with pytest.raises(queue.Empty):
        asyncio.run(kernels.poll_in_slices(never)(None, timeout=0.6))
    assert (
        0.55 < time.monotonic() - began < 2
        and len(asked) >= 3
        and max(asked) <= kernels.POLL_SECONDS
    )

    async def second(_, timeout):
        asked.append(timeout)
        if len(asked) < 2:
            raise queue.Empty
        return {"a": "message"}

    asked.clear()
    assert asyncio.run(kernels.poll_in_slices(second)(None)) == {"a": "message"} and len(asked) == 2


def test_what_was_measured_is_of_chapters_that_there_are():
    measured = json.loads((paths.root() / "params" / "seconds.json").read_text())
    there = {path.stem for path in (paths.root() / "book").glob("[0-9][0-9]_*.py")}
    assert set(measured) == {"made_with", "defaults", "smoke", "book"}
    assert all(set(measured[scale]) <= there for scale in ("defaults", "smoke", "book"))
