"""Each test has a store of its own and one CPU thread; in CI only tests named here may skip.

Property tests (Hypothesis) take the same examples every time, so that the test command gives the
same answer twice. `LEXURN_HYPOTHESIS=random pytest -m hypothesis` draws many new ones; what it
finds becomes an `@example` of its test.

BLAS, libm and fits round differently on different processors. Numbers that come from two of their
code paths, or from another machine, are compared within a stated tolerance, which still finds the
test's planted fault. Exact comparisons are for promises of equal bits: the same call twice on one
machine, resumed trainings, what is stored and read back.
"""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import browsers
import pytest

from lexurn.base import files, paths, session

PACKAGES = (
    "IPython.display",
    "PIL.Image",
    "dask.distributed",
    "ipywidgets",
    "jupytext",
    "matplotlib.pyplot",
    "nbformat",
    "numpy.testing",
    "pandas",
    "safetensors.torch",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "seaborn",
    "sklearn.linear_model",
    "torch",
    "torch.nn.functional",
)
"""What lexurn imports. While modules of lexurn are imported with their types checked, Python finds
no compiled code of other packages and compiles these again, which takes seconds."""


def pytest_configure(config):
    """Prepare a process that runs tests; the one that only distributes them needs nothing."""
    if config.getoption("numprocesses", None):
        return
    for name in PACKAGES:
        import_module(name)
    from hypothesis import settings

    from lexurn.base.threads import set_threads

    set_threads(1)
    default = {"derandomize": True, "deadline": None, "max_examples": 100}
    settings.register_profile("default", **default)
    settings.register_profile(
        "random", derandomize=False, deadline=None, max_examples=500, print_blob=True
    )
    settings.load_profile(os.environ.get("LEXURN_HYPOTHESIS", "default"))


def pytest_collection_modifyitems(config, items):
    """Let one process begin with the site and another with the rest of the book.

    Each process gets an equal part of the list. The first one waits while the site is built, and
    the others take over what remains of its part: it must not begin with what they could do.
    """
    n_processes = getattr(config, "workerinput", {}).get("workercount", 1)
    site = [item for item in items if "site" in item.fixturenames]
    book = [item for item in items if item.get_closest_marker("book") and item not in site]
    rest = [item for item in items if not item.get_closest_marker("book")]
    n_first = max(len(items) // n_processes - len(site), 0)
    items[:] = site + rest[:n_first] + book + rest[n_first:]


MAY_SKIP: set[str] = {
    "runs/test_run.py::test_a_run_trains_on_cuda",
    "training/test_step.py::test_a_step_recorded_on_cuda_is_the_plain_one",
}
"""Tests that need what CI's machine may lack, as file::function, the file from tests/ on."""

if not all(map(find_spec, ("transformers", "xlstm"))):  # CI runs them again with both
    MAY_SKIP |= {
        "models/test_agreement.py::test_mamba_begins_as_that_of_transformers",
        "models/test_agreement.py::test_mamba_is_that_of_transformers_and_weights_load_both_ways",
        "models/test_agreement.py::test_xlstm_begins_with_the_gates_of_the_package",
        "models/test_agreement.py::test_xlstm_is_that_of_the_package",
    }


if not find_spec("huggingface_hub"):  # comes with the extra `text`
    MAY_SKIP |= {"runs/test_hub.py::test_a_run_that_is_uploaded_and_downloaded_can_be_imported"}

if not os.environ.get("LEXURN_TEST_DATA"):  # real texts, which are not part of the repository
    MAY_SKIP |= {
        "tasks/test_text.py::test_gpt2s_encoding_is_its_own",
        "tasks/test_text.py::test_on_wikitext_a_model_trained_on_valid_is_better_than_counts_on_test",
    }


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """A run store and a build of the test's own, and nothing published."""
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LEXURN_BUILD", str(tmp_path))
    monkeypatch.setattr(paths, "published_results", lambda: None)
    with session.fresh():
        yield tmp_path / "runs"


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """A folder of this session that all its processes share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def site(shared_folder):
    """The folder of the whole book's site, executed at the smoke scale once for all processes.

    The executed notebooks are in its `_sources`.
    """
    folder = shared_folder / "site"
    with files.lock(folder, activity="building"):
        if not (folder / "is_built").exists():
            own = {"LEXURN_BUILD": str(folder), "LEXURN_RUNS": str(folder / "runs")}
            params = str(paths.root() / "params" / "smoke.yaml")
            command = [sys.executable, "-m", "lexurn", "book", "--params", params]
            options = {"env": os.environ | own, "cwd": paths.LIBRARY.parent}
            for arguments in (["--jobs", "2"], []):  # two, because the other workers wait
                done = subprocess.run(
                    command + arguments, capture_output=True, text=True, **options
                )
                assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout == "every chapter is up to date\nthe site is up to date\n"
            (folder / "is_built").touch()
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def browser():
    """A browser without a window. It runs an event loop, so it is closed after each file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browsers.CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def tiny_run(store, shared_folder):
    """A function that returns a run in the test's own store, from flat settings.

    Each run is trained once in a session, and its folder is copied for every test that wants it.
    Tests that are about training, or that change what a training sees, call `runs.get` instead.
    """
    from lexurn import runs  # not above: types are checked in what is imported after the start
    from lexurn.settings.resolver import check

    def copy_run(flat):
        settings = check(flat)
        with pytest.MonkeyPatch.context() as patch, session.fresh():
            patch.setenv("LEXURN_RUNS", str(shared_folder / "trained"))
            patch.setattr(paths, "published_results", lambda: None)
            trained = runs.get(settings).path
        if not (paths.runs() / trained.name).exists():
            shutil.copytree(trained, paths.runs() / trained.name)
        return runs.get(settings)

    return copy_run


skipped: list[str] = []


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped.append(report.nodeid.split("[")[0].removeprefix("tests/"))


def pytest_sessionfinish(session):
    forbidden = sorted(set(skipped) - MAY_SKIP)
    if os.environ.get("CI") == "true" and forbidden and not hasattr(session.config, "workerinput"):
        print(f"\nskipped in CI, which only {sorted(MAY_SKIP)} may be: {forbidden}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
