"""Chapters in a session like Colab's, with the versions of packages that Colab publishes.

    python tests/benchmarks/colab.py require pip-freeze.txt FOLDER
    pip install -r FOLDER/requirements.txt -c FOLDER/constraints.txt
    python tests/benchmarks/colab.py run FOLDER/content 01_data 02_train 03_evaluate

The first command reads a list of googlecolab/backend-info. The second installs what this project
needs as Colab has it, and nothing that Colab lacks. The third opens chapters one after the other,
each in a kernel of its own, and runs all cells; the first cell clones the working tree. The third
command fails where a cell fails, or where a package has another version afterwards.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = ROOT / "tests" / "vendor" / "colab" / "pip-freeze.txt"
LINE = re.compile(r"([\w.-]+)(?:==| @ https://\S+/[\w.]+-)(\d[\w.]*)(?:(?:\+|%2B|-)\S*)?")
IN_COLAB = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n"


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def published_versions(freeze):
    """Return the version of each package in a list of Colab, without a suffix such as +cu128."""
    lines = map(LINE.fullmatch, freeze.splitlines())
    return {canonical(line[1]): line[2] for line in lines if line}


def require(freeze, folder):
    """Write the versions in a list of what this project needs, and of everything for pip's -c."""
    versions = published_versions(Path(freeze).read_text())
    needed = [name for name in published_versions(LIST.read_text()) if name in versions]
    if missing := {"ipykernel", "nbclient", "pip", "torch"} - {*needed}:
        raise SystemExit(f"{freeze} has no version of {', '.join(sorted(missing))}; is it whole?")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, names in {"requirements": needed, "constraints": versions}.items():
        lines = [f"{package}=={versions[package]}\n" for package in names]
        (Path(folder) / f"{name}.txt").write_text("".join(lines))


def host(folder, tag):
    """Make a repository in a folder with the files of the working tree under a tag."""
    git = os.environ | {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(ROOT)}
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "-q"],
        ["add", "-A", str(ROOT)],
        [*author, "commit", "-q", "--no-verify", "-m", "all"],
        ["tag", tag],
    ):
        subprocess.run(["git", *arguments], check=True, capture_output=True, env=git, cwd=ROOT)


def instead_of(url, folder):
    """Return variables with which git clones a folder where an address is asked for."""
    key = f"url.file://{folder}.insteadOf"
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": url}


def installed():
    return {each.name: each.version for each in metadata.distributions()}


def run(content, *chapters):
    """Run chapters as Colab does, and print times, outputs' types, warnings and new packages."""
    import nbformat
    from nbclient import NotebookClient

    content = Path(content).resolve()
    content.mkdir(parents=True, exist_ok=True)
    before = installed()
    with tempfile.TemporaryDirectory() as folder:
        hosted, startup = Path(folder) / "lexurn.git", Path(folder) / "startup"
        startup.mkdir()
        (startup / "sitecustomize.py").write_text(IN_COLAB)
        for chapter in chapters:
            path = ROOT / "book" / f"{chapter}.ipynb"
            text = path.read_text().replace("/content", str(content))
            notebook = nbformat.reads(text, as_version=4)
            url, tag = re.search(r"-b (\S+) (https://[^\s\"\\]+)", text).group(2, 1)
            if not hosted.exists():
                host(hosted, tag)
            environment = os.environ | instead_of(url, hosted) | {"PYTHONPATH": str(startup)}
            client = NotebookClient(
                notebook, timeout=1200, resources={"metadata": {"path": str(content)}}
            )
            start = time.monotonic()
            client.execute(env=environment)
            report(chapter, notebook, time.monotonic() - start)
            nbformat.write(notebook, content / f"{chapter}.executed.ipynb")
    after = installed()
    print("new:", *sorted(f"{name} {after[name]}" for name in after.keys() - before.keys()))
    changed = {name for name in before if after.get(name) != before[name]}
    if changed:
        raise SystemExit(f"changed: {[(name, before[name], after.get(name)) for name in changed]}")


def report(chapter, notebook, seconds):
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in codes for output in cell.outputs]
    types = sorted({kind for output in outputs for kind in output.get("data", ())})
    print(f"{chapter}: first cell {seconds_of(codes[0]):.1f} s, all {seconds:.1f} s")
    print("  shows", *types)
    for output in outputs:
        if output.get("name") == "stderr":
            print("  stderr:", output["text"].strip())


def seconds_of(cell):
    from datetime import datetime

    times = cell.metadata.execution
    begun, ended = (times[key] for key in ("iopub.execute_input", "shell.execute_reply"))
    as_time = datetime.fromisoformat
    return (as_time(ended) - as_time(begun)).total_seconds()


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    if command not in ("require", "run"):
        raise SystemExit(__doc__)
    {"require": require, "run": run}[command](*arguments)
