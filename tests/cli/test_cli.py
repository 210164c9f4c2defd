"""The command line over the store of runs."""

import json
import os
import subprocess
import sys
from io import StringIO

import pandas as pd
import pytest
from click.testing import CliRunner

from lexurn import runs
from lexurn.base import files, paths
from lexurn.cli import main

TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store of three runs, for all tests that only read."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(folder))
        return folder, [
            runs.get(TINY | flat)
            for flat in ({}, {"lex": True, "seed": 3}, {"n_tasks": 0, "d_model": 64})
        ]


@pytest.fixture
def made(trained, monkeypatch):
    monkeypatch.setenv("LEXURN_RUNS", str(trained[0]))
    return trained[1]


def lexurn(*arguments, code=0, width=140, **more):
    done = CliRunner().invoke(main, list(map(str, arguments)), env={"COLUMNS": str(width)}, **more)
    assert done.exit_code == code, done.output
    return done.output


def test_runs_are_listed_with_what_differs(made):
    said = lexurn("runs")
    head, *lines = said.splitlines()
    assert head.split("d G")[0].split() == [
        "run",
        "kind",
        "seed",
        "n_tasks",
        "d_model",
        "best",
        "step",
        "loss",
    ]
    assert {line.split()[0] for line in lines} == {run.settings.key[:6] for run in made}
    table = runs.table(lex=True).iloc[0]
    line = next(line for line in lines if "lexical" in line)
    assert (
        f"{table['d_symmetrized']:.2f}" in line and "±" in line and said == lexurn("runs", "list")
    )


def test_a_listing_is_as_wide_as_the_terminal_and_names_what_it_leaves_out(made):
    for width in (140, 120, 100, 80):
        head, *_, last = lexurn("runs", width=width).splitlines()
        assert len(head) <= width
    assert (
        last
        == "(no room for duration, best step, loss, d_model; lexurn runs list --csv has everything)"
    )


def test_runs_are_filtered_by_settings_strictly(made):
    assert lexurn("runs", "list", "lex=true", "n_tasks=1").count("lexical") == 1
    assert lexurn("runs", "list", "seed=77") == "no finished run with these settings\n"
    assert (
        "did you mean n_tasks?" in (said := lexurn("runs", "list", "n_task=1", code=2))
        and said.count("\n") == 1
    )
    for wrong, why in {
        "lex=perhaps": "must be True or False, got 'perhaps'",
        "lex": "given as name=value",
    }.items():
        assert why in (said := lexurn("runs", "list", wrong, code=2)) and said.startswith("Error: ")


def test_machines_get_everything(made):
    table = runs.table()
    read = pd.read_csv(StringIO(lexurn("runs", "list", "--csv")))
    assert list(read) == list(table) and read["name"].tolist() == table["name"].tolist()
    records = json.loads(lexurn("runs", "list", "--json"))
    assert [each["d_generalizing_sem"] for each in records] == table["d_generalizing_sem"].tolist()
    assert [each["d_memorizing"] for each in records if each["n_tasks"] == 0] == [None]


def test_a_run_is_shown(made):
    run = made[1]
    for name in (run.path.name, run.settings.key, run.settings.key[:5], run.path):
        said = lexurn("runs", "show", name)
        assert "lex=True" in said and "n_tasks" not in said.partition("again with")[0]
        assert run.provenance["command"] in said and run.provenance["duration"] in said
        assert "out_of_distribution last 20" in said and "d_generalizing" in said
    assert "low_entropy/loss/last" in lexurn("runs", "show", run.path, "--metrics")
    said = lexurn("runs", "show", run.path.name[:-3], code=1)
    assert "no run urns-" in said and f"did you mean {run.path.name}?" in said


def test_runs_are_compared_side_by_side(made):
    said = lexurn("runs", "compare", made[0].settings.key, made[2].settings.key)
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line}
    assert (
        lines["n_tasks"] == ["1", "0"] and lines["d_model"] == ["32", "64"] and "lex" not in lines
    )
    assert "generalizing" in said and "best_step" in lines


def begun(key):
    folder = paths.runs() / f"urns-s0-{key}"
    folder.mkdir(parents=True)
    (folder / "state-00000005-1f0d8b602e4c.safetensors").write_bytes(b"x" * 1234)
    return folder


def test_runs_are_deleted_when_one_says_so(store):
    first, second, third = map(begun, ("aaaa11112222", "bbbb11112222", "cccc11112222"))
    assert f"unfinished: {first.name} (saved at step 5)" in lexurn("runs")
    said = lexurn("runs", "delete", "aaaa", input="n\n", code=1)
    assert f"{first.name}  unfinished, 1,234 bytes" in said and first.exists()
    lexurn(
        "runs", "delete", "aaaa", "dddd", "--yes", code=1
    )  # nothing is deleted where one name is wrong
    with files.lock(third):
        assert (
            "is being trained" in lexurn("runs", "delete", "aaaa", "cccc", "--yes", code=1)
            and first.exists()
        )
    lexurn("runs", "delete", "aaaa", input="y\n")
    lexurn("runs", "delete", "bbbb", second.name, "--yes")
    assert list(store.iterdir()) == [third]


def test_the_command_is_there_and_a_closed_pipe_is_no_error(made):
    command = [sys.executable, "-m", "lexurn", "runs", "list", "--csv"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() in (0, 1)
