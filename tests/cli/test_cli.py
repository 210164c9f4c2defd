"""The command line over the store of runs."""

import json
import operator
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pandas as pd
import pytest
from click.testing import CliRunner
from small_settings import TEXT

from lexurn import runs
from lexurn.base import files, paths
from lexurn.cli import main
from lexurn.measures import evaluation
from lexurn.runs import listing, sharing
from lexurn.settings.resolver import check

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
    columns = ["run", "kind", "seed", "n_tasks", "d_model", "step", "loss", "d_G", "d_M", "d_S"]
    assert head.split() == [*columns, "duration", "finished"]
    assert {line.split()[0] for line in lines} == {run.settings.key[:6] for run in made}
    table = runs.table(lex=True).iloc[0]
    line = next(line for line in lines if "lexical" in line)
    assert (
        f"{table['d_symmetrized']:.2f}" in line and "±" in line and said == lexurn("runs", "list")
    )


def test_a_listing_is_as_wide_as_the_terminal_and_names_what_it_leaves_out(made):
    for width in (140, 120, 100, 80, 60, 40, 16):
        lines = lexurn("runs", width=width).splitlines()
        assert max(map(len, lines)) <= max(width, len("everything)"))
        if width == 80:
            assert {"loss", "step", "duration"} <= set(lines[0].split())
            assert lines[-2].startswith("no room for finished, d_model, n_tasks")
    assert lines[0].split() == ["run", "loss"]  # these are omitted last
    assert "no room" not in lexurn("runs", width=200)


def test_runs_are_filtered_by_settings_strictly(made):
    assert lexurn("runs", "list", "lex=true", "n_tasks=1").count("lexical") == 1
    assert lexurn("runs", "list", "seed=77") == "no finished run matches\n"
    assert (
        "did you mean n_tasks?" in (said := lexurn("runs", "list", "n_task=1", code=2))
        and said.count("\n") == 1
    )
    for wrong, why in {
        "lex=perhaps": "must be True or False, got 'perhaps'",
        "lex": "given as name=value",
        "delte": "given as name=value",
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


def test_unfinished_runs_are_told_beside_what_machines_read(made, tmp_path, monkeypatch):
    shutil.copytree(made[0].path.parent, tmp_path / "copy")
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "copy"))
    (tmp_path / "copy" / made[0].path.name / "results.json").unlink()
    told = f"unfinished: {made[0].path.name} (no saved state)\n"
    for form, read in {
        "--csv": lambda text: pd.read_csv(StringIO(text)),
        "--json": json.loads,
    }.items():
        done = CliRunner().invoke(main, ["runs", form])
        assert len(read(done.stdout)) == 2 and done.stderr == told
        done = CliRunner().invoke(main, ["runs", "--unfinished", form])
        assert len(read(done.stdout)) == 1 and done.stderr == ""
    assert told in lexurn("runs")


def test_runs_are_compared_side_by_side(made):
    said = lexurn("runs", "compare", made[0].settings.key, made[2].settings.key)
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line}
    assert (
        lines["n_tasks"] == ["1", "0"] and lines["d_model"] == ["32", "64"] and "lex" not in lines
    )
    assert "generalizing" in said and "best_step" in lines


N_OWN, N_ALL = 18, 30


@pytest.fixture
def many(monkeypatch):
    """A store of 30 runs, the last 12 of them published, that exist as rows of its table only."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows = {}
    for number in range(N_ALL):
        flat = {
            "n_steps": 5 * (number % 7 + 1),
            "seed": number,
            "alpha": [1, [1, 2, 1, 1]][number % 2],
        }
        if number % 3 == 0:
            flat |= {"n_tasks": 0}
        settings = check(flat if number % 5 else {"task": "language", "seed": number})
        results = {
            "published": number >= N_OWN,
            "kind": "normal",
            "best_step": 5,
            "validation_loss": 1 + (number * 11 % N_ALL) / 100,
            "seconds": 60.0 * (number * 7 % N_ALL),
            "finished": (now - timedelta(hours=number * 13 % N_ALL, minutes=30)).isoformat(),
        }
        measure = "d_generalizing" if number % 5 else "regret_oracle"
        results |= {measure: (number * 17 % N_ALL) / 10, f"{measure}_sem": 0.01}
        rows[settings.name] = {"settings": settings.flat(), "results": results}
    monkeypatch.setattr(listing, "_read_rows", lambda: rows)
    return runs.table()


def keys(table):
    return [name[-12:-6] for name in table["name"]]


def listed(*arguments):
    """Return the records of the runs that a command lists, in its order."""
    return json.loads(lexurn("runs", *arguments, "--json"))


def test_own_runs_come_first_and_then_published_ones_the_newest_first(many):
    places = list(zip(many["published"], many["finished"], strict=True))
    assert places == sorted(sorted(places, reverse=True), key=lambda place: place[0])
    assert places != sorted(places, key=lambda place: place[1], reverse=True)  # these are mixed
    assert many["published"].tolist() == [False] * N_OWN + [True] * (N_ALL - N_OWN)
    lines = lexurn("runs", "--all").splitlines()[1:]
    assert [line.split()[0] for line in lines if line[:3] != "no "][:N_ALL] == keys(many)


def test_twenty_rows_are_listed_unless_more_or_fewer_are_asked_for(many):
    def counts(*arguments):
        text = lexurn("runs", *arguments, width=300)
        more = re.findall(r"^and (\d+) more \(--all shows all of them", text, re.MULTILINE)
        return text.count(" normal "), [int(number) for number in more]

    assert counts() == (20, [10]) and counts("--limit", 7) == (7, [23])
    assert counts("--all") == (30, []) and counts("--limit", 30) == (30, [])
    assert counts("--mine") == (18, [])
    assert len(listed()) == N_ALL and len(listed("--limit", 3)) == 3


def test_only_ones_own_runs_are_listed_where_one_asks_for_them(many):
    assert [record["published"] for record in listed("--mine")] == [False] * N_OWN
    assert {record["published"] for record in listed()} == {False, True}


SORTED = {
    "d_G": "d_generalizing",
    "regret_oracle": "regret_oracle",
    "loss": "validation_loss",
    "duration": "seconds",
    "seed": "seed",
    "finished": "finished",
    "n_steps": "n_steps",
    "language": "language",
    "alpha": "alpha",
}


@pytest.mark.parametrize("name", SORTED)
def test_runs_are_sorted_by_any_column_with_missing_values_last(many, name):
    for sign in ("", "-"):
        values = [record[SORTED[name]] for record in listed("--sort", sign + name)]
        present = [value for value in values if value is not None]
        as_lists = [value if isinstance(value, list) else [value] for value in present]
        assert as_lists == sorted(as_lists, reverse=sign == "-")
        assert values[: len(present)] == present and len(values) == N_ALL
    unsorted = [record[SORTED[name]] for record in listed()]
    assert unsorted != values


def test_the_column_that_runs_are_sorted_by_is_the_last_setting_to_be_omitted(many):
    def columns(*arguments):
        return lexurn("runs", *arguments, width=90).splitlines()[0].split()

    assert "n_steps" in columns("--sort", "n_steps") and "n_steps" not in columns()


def test_an_unknown_column_is_refused_with_the_nearest_one(many):
    for arguments, hint in {
        ("--sort", "los"): "did you mean loss?",
        ("--sort", "-n_stepz"): "did you mean n_steps?",
        ("--columns", "run,regret_orcle"): "did you mean regret_oracle?",
        ("--sort", "lr"): "did you mean learning_rate?",
        ("n_task>1",): "did you mean n_tasks?",
    }.items():
        message = lexurn("runs", *arguments, code=2)
        assert hint in message and message.count("\n") == 1
        assert "columns: run, " in message and "_sem" not in message


def test_columns_are_those_that_one_names(many):
    head, *lines = lexurn("runs", "--columns", "run,n_steps,loss,finished").splitlines()
    assert head.split() == ["run", "n_steps", "loss", "finished"]
    first = many.iloc[0]
    time = datetime.fromisoformat(first["finished"]).astimezone()
    expected = f"{first['name'][-12:-6]} {first['n_steps']} {first['validation_loss']:.4f} "
    assert lines[0].split() == (expected + time.strftime("%Y-%m-%d %H:%M")).split()
    assert list(listed("--columns", "d_G,seed,seed")[0]) == ["d_generalizing", "seed"]
    assert list(listed("--columns", "D_g,Seed")[0]) == ["d_generalizing", "seed"]
    narrow = lexurn("runs", "--columns", "run,n_steps,finished", width=20)
    assert narrow.split()[:3] == ["run", "n_steps", keys(many)[0]] and "no room for" in narrow


def test_runs_are_listed_since_a_time(many):
    hours = [
        (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() / 3600
        for time in many["finished"]
    ]
    for text, limit in {"3h": 3, "1d": 24, "0.5d": 12, "7d": 200}.items():
        assert len(listed("--since", text)) == sum(age <= limit for age in hours)
    assert 0 < len(listed("--since", "3h")) < len(listed("--since", "12h")) < N_ALL
    day = datetime.now().astimezone() - timedelta(hours=12)  # local time
    since = day.replace(tzinfo=None).isoformat()
    assert len(listed("--since", since)) == len(listed("--since", "12h"))
    assert lexurn("runs", "--since", "2999-01-01") == "no finished run matches\n"
    for wrong in ("yesterday", "3x", "d", "nand", "9e99d", "2026-13-01"):
        message = lexurn("runs", "--since", wrong, code=2)
        assert "such as 2d or 3h" in message and message.count("\n") == 1


OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@pytest.mark.parametrize("sign", OPERATORS)
def test_conditions_compare_settings_and_results(many, sign):
    sizes = set()
    for name, column, value in (
        ("n_steps", "n_steps", 15),
        ("n_tasks", "n_tasks", 0),
        ("loss", "validation_loss", 1.11),
        ("d_G", "d_generalizing", 1.3),
        ("regret_oracle", "regret_oracle", 1.0),
        ("alpha", "alpha", 1.0),
    ):
        expected = [
            run
            for run, present in zip(many["name"], many[column], strict=True)
            if present is not pd.NA and present == present
            if not (isinstance(present, list) and sign not in ("=", "!="))
            if OPERATORS[sign](present, value)
        ]
        records = listed(f"{name}{sign}{value}")
        assert [record["name"] for record in records] == expected
        sizes.add(len(records))
    assert len(sizes) > 2  # conditions differ in the runs that meet them


def test_conditions_are_met_together(many):
    records = listed("n_steps>10", "n_steps<=25", "alpha=[1,2,1,1]", "kind=normal", "lex=False")
    assert {record["n_steps"] for record in records} == {15, 20, 25}
    assert all(record["alpha"] == [1, 2, 1, 1] for record in records)
    assert not listed("kind!=normal") and not listed("task=urns", "language=dyck")
    assert len(listed("task!=urns")) == 6  # a run without the setting meets no condition on it
    assert not listed("n_tasks!=0", "task=language")


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("n_steps", "in quotes, because the shell takes < and > for itself"),
        ("n_steps==10", "with another of = != < <= > >="),
        ("n_steps=>10", "with another of = != < <= > >="),
        ("n_steps~10", "with another of = != < <= > >="),
        ("n_steps>ten", "> compares numbers here, got n_steps>ten"),
        ("n_steps>", "> compares numbers here"),
        ("n_steps=1.5", "must be a whole number"),
        ("lex>0", "> compares numbers here, got lex>0; other settings take = and !="),
        ("language<dyck", "< compares numbers here"),
        ("language=dick", "did you mean dyck?"),
        ("thetas>0.5", "> compares numbers here"),
        ("kind=lexicl", "one of normal, lexical, permuted, got kind=lexicl"),
        ("kind>normal", "kind takes = or !="),
        ("loss=low", "= compares numbers here"),
        ("finished>2026-11-01", "> compares numbers here"),
    ],
)
def test_a_wrong_condition_is_refused_in_one_line(many, condition, why):
    message = lexurn("runs", condition, code=2)
    assert why in message and message.startswith("Error: ") and message.count("\n") == 1


def test_unfinished_runs_are_told_as_far_as_their_settings_match(store):
    names = {}
    for flat in ({"n_steps": 50}, {"n_steps": 500, "lex": True}):
        settings = check(flat)
        folder = begun(settings.key, settings.name)
        files.write(folder / "settings.json", settings.model_dump_json())
        names[settings.training.n_steps] = f"unfinished: {settings.name} (saved at step 5)\n"
    both = "".join(sorted(names.values()))
    assert lexurn("runs", "--unfinished") == both
    assert lexurn("runs") == "no finished run\n" + both
    assert lexurn("runs", "--mine") == "no finished run matches\n" + both
    assert lexurn("runs", "n_steps>100") == "no finished run matches\n" + names[500]
    assert lexurn("runs", "--unfinished", "n_steps<=100") == names[50]
    assert lexurn("runs", "--unfinished", "kind=lexical", "lex=true") == names[500]
    assert lexurn("runs", "--unfinished", "n_steps>500") == "no unfinished run\n"
    records = listed("--unfinished")
    assert {record["state"] for record in records} == {"saved at step 5"} and len(records) == 2


def test_runs_on_strings_and_texts_are_listed_and_shown_under_their_own_measures(tiny_run):
    urns, text = tiny_run(TINY), tiny_run(TEXT | {"n_steps": 10})
    strings = tiny_run(TINY | {"language": "aNbN", "context_length": 12, "max_length": 8})
    assert (strings.results["mean"] == -float("inf")).any()  # longer strings than the oracle knows
    head, *lines = lexurn("runs", width=400).splitlines()
    names = ["d_G", "d_M", "d_S", "d_unigram", "d_bigram", "regret_oracle", "regret_relabelled"]
    assert set(names) <= set(head.split()) and len(lines) == 3
    table = runs.table().set_index("name")
    for run, column, reference in (
        (urns, "d_generalizing", "generalizing"),
        (text, "d_bigram", "bigram"),
        (strings, "regret_oracle", "oracle"),
    ):
        split, measure = run.task.splits[0], run.task.measure
        expected = evaluation.select(run.results, split=split, measure=measure).loc[reference]
        assert table.loc[run.path.name, column] == expected["mean"]
        assert table.loc[run.path.name, f"{column}_sem"] == expected["sem"]
        assert table[column].notna().sum() == 1
        assert re.search(rf"{reference}", shown := lexurn("runs", "show", run.path))
        measure_name = "regret" if run is strings else "symmetrized KL"
        assert f"\n{measure_name} to the references, in nats\n" in shown
        along = shown.partition("along training")[2]
        assert f"{listing.column_name(measure, reference)}" in along
        assert "inf" not in shown.replace("infinite", "")
        assert ("regret" in shown) == ("impossible" in shown) == (run is strings)
        card = sharing.card(run)
        assert f"\nThe {measure_name} in nats, ±" in card and "inf" not in card
        assert ("impossible" in card) == (run is strings)
    assert "inf" not in lexurn("runs", "show", strings.path, "--metrics").partition("along")[2]
    for both in ((urns, strings), (strings, text)):
        compared = lexurn("runs", "compare", *(run.path for run in both))
        measures = [run.task.measure for run in both]
        (line,) = (line for line in compared.splitlines() if line.startswith("measure "))
        assert line.split()[1:] == measures and "-inf" not in compared


def test_an_index_of_an_older_version_is_read_again(tiny_run):
    tiny_run(TINY)
    table = runs.table()
    index = json.loads((paths.runs() / listing.INDEX).read_bytes())
    for row in index["rows"].values():
        folder = next(part for part in row["signature"] if isinstance(part, str))
        row["signature"] = row["signature"][row["signature"].index(folder) :]  # as it was
        del row["results"]["finished"]
    (paths.runs() / listing.INDEX).write_text(json.dumps(index))
    assert runs.table().equals(table)


def begun(key, name=""):
    folder = paths.runs() / (name or f"urns-s0-{key}")
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
    environment = os.environ | {"LEXURN_FRESH": "1"}  # the published runs take long to read
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() in (0, 1)
