"""Processes that are forked from one that has imported what lexurn imports.

Importing torch takes seconds. Tests that kill or limit processes would wait for it every time.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path

from lexurn.publish import execution, kernels
from lexurn.runs import workers


class ForkedPython:
    """A process that does what `python -c CODE ARGUMENTS...` does."""

    def __init__(self, code, *arguments):
        kernels.import_ahead(execution.FIGURE_PACKAGES)
        folder = Path(tempfile.mkdtemp(dir=os.environ["LEXURN_BUILD"]))
        self.outputs = [folder / "stdout", folder / "stderr"]
        given = code, arguments, self.outputs, dict(os.environ), os.getcwd()
        self.process = kernels.CONTEXT.Process(target=run_code, args=given)
        self.process.start()

    def send_signal(self, number):
        """Send a signal to the process."""
        os.kill(self.process.pid, number)

    def communicate(self, timeout=300):
        """Wait for the end of the process and return what it wrote to stdout and stderr."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, f"it did not end within {timeout} s"
        return tuple(path.read_text() for path in self.outputs)

    @property
    def returncode(self):
        """The exit code; None while the process runs."""
        return self.process.exitcode


def wait_for(condition, seconds=60.0):
    """Wait until `condition()` is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


def run_code(code, arguments, outputs, environment, folder):
    """Run code in this process, with its own environment, folder, arguments and outputs."""
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})


class Here(Executor):
    """An executor that does everything at once, one by one: the interface and nothing else."""

    def submit(self, function, /, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future


def fork_workers(monkeypatch):
    """Let `workers.Processes` fork its processes instead of starting each anew."""
    kernels.import_ahead(execution.FIGURE_PACKAGES)
    started = EndingWorker(dict(os.environ))
    monkeypatch.setattr(workers, "get_context", lambda _: kernels.CONTEXT)
    monkeypatch.setattr(workers, "exit_with_parent", started)


class EndingWorker:
    """What `workers.exit_with_parent` does, in an environment that the server did not have."""

    def __init__(self, environment):
        self.environment = environment

    def __call__(self):
        os.environ.clear()
        os.environ.update(self.environment)
        workers.exit_with_parent()
