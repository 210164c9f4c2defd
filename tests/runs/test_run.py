"""Runs: trained once, found again, read back whole."""

import json
from datetime import datetime

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lexurn import evaluation, models, parameters, runs, tasks
from lexurn.figures import style
from lexurn.runs import fit, recording
from lexurn.runs.tracking import Tracker
from lexurn.settings import Settings
from lexurn.training import loop

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 8}


@pytest.mark.parametrize(
    "flat",
    [{}, {"lex": True}, {"n_tasks": 0}, {"n_train_samples": 64, "n_epochs": 3, "n_steps": 6}],
)
def test_a_run_is_trained_once_and_read_back(store, flat, monkeypatch):
    run = runs.get(TINY | flat)
    assert {path.name for path in run.path.iterdir()} >= {
        "settings.json",
        "metrics.jsonl",
        "results.json",
        "provenance.json",
        "model.safetensors",
        "last.safetensors",
    }
    monkeypatch.setattr(recording, "train", None)  # a second training would fail
    again = runs.load(runs.get(parameters.check(TINY | flat)).path.name)
    assert (
        again.path == run.path
        and again.path.parent == store
        and again.path.name.endswith(again.settings.key)
    )
    assert again.settings == parameters.check(TINY | flat)
    assert again.metrics["step"].tolist() == [0, 3, 6]
    tokens = torch.zeros(3, 9, dtype=torch.int64)
    assert again.predictor(tokens).equal(run.predictor(tokens))


def test_results_are_those_of_the_stored_weights(tiny_run):
    run = tiny_run(TINY | {"lex": True})
    again = evaluation.evaluate(
        run.predictor, run.references, run.splits, step=int(run.results["step"].iloc[0])
    )
    is_single = run.results_by_row["measure"].str.startswith(evaluation.SINGLE_TABLE)
    averages = run.results_by_row[~is_single]
    pd.testing.assert_frame_equal(again, averages, rtol=1e-5, check_dtype=False)
    assert set(run.results["row"]) == {"mean", "last"} < set(run.results_by_row["row"])


def test_curves_of_a_lexical_model_have_one_table_per_sequence_and_end_in_its_results(tiny_run):
    """The final table has the curve's last value too, with its standard error, and the average."""
    for lex in (True, False):
        run = tiny_run(TINY | {"lex": lex})
        curve = run.metrics.set_index("step").loc[run.results["step"].iloc[0]]
        assert set(run.metrics["n_tables"]) == {int(lex)}
        prefix = evaluation.SINGLE_TABLE if lex else ""
        for measure, reference in (("loss", ""), ("symmetrized_kl", "generalizing")):
            for row, suffix in (("mean", ""), ("last", "/last")):
                chosen = {"split": "out_of_distribution", "row": row}
                final = evaluation.select(run.results, measure=prefix + measure, **chosen)
                name = "/".join(filter(None, ["out_of_distribution", measure, reference]))
                assert curve[name + suffix] == pytest.approx(final.loc[reference, "mean"])
                averaged = evaluation.select(run.results, measure=measure, **chosen)
                differs = averaged.loc[reference, "mean"] != pytest.approx(curve[name + suffix])
                assert differs == lex and final.loc[reference, "sem"] > 0


def test_curves_of_runs_that_do_not_say_their_tables_are_those_of_an_average(tiny_run):
    """Lexical runs were once evaluated under an average along training; they can also resume."""
    run = tiny_run(TINY | {"lex": True})
    path = run.path / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    del rows[0]["n_tables"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = runs.Run(run.path).metrics  # not load, which refuses what was altered
    assert metrics["n_tables"].tolist() == [8] + [1] * (len(rows) - 1)
    assert style.step_label(metrics) == "step (lexical: 1 and 8 tables, not comparable)"
    assert style.step_label(metrics[:1]) == "step (lexical: 8 tables)"
    assert style.step_label(metrics[1:]) == "step (lexical: 1 table)"
    assert style.step_label(metrics.assign(n_tables=0)) == "step"


def test_equal_settings_give_equal_runs(store, monkeypatch, tmp_path):
    first = runs.get(TINY | {"lex": True, "dropout": 0.1})
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "elsewhere"))
    torch.manual_seed(99)
    again = runs.get(TINY | {"lex": True, "dropout": 0.1})
    assert first.path != again.path
    assert (first.path / "model.safetensors").read_bytes() == (
        again.path / "model.safetensors"
    ).read_bytes()
    assert (first.path / "metrics.jsonl").read_text() == (again.path / "metrics.jsonl").read_text()
    other = runs.get(TINY | {"lex": True, "dropout": 0.1, "seed": 1})
    assert (first.path / "model.safetensors").read_bytes() != (
        other.path / "model.safetensors"
    ).read_bytes()


def test_an_unfinished_folder_is_no_run_and_is_trained_again(tiny_run):
    run = tiny_run(TINY)
    weights = (run.path / "model.safetensors").read_bytes()
    (run.path / "results.json").unlink()
    (run.path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match="no finished run"):
        runs.load(run.path)
    assert (runs.get(TINY).path / "model.safetensors").read_bytes() == weights


def test_provenance_says_how_to_make_the_run_again():
    run = runs.get(TINY | {"lex": True, "alpha": [1, 2, 3, 4]})
    provenance = run.provenance
    assert provenance["command"].startswith("papermill book/02_train.ipynb out.ipynb -p ")
    assert " -p alpha '[1.0, 2.0, 3.0, 4.0]'" in provenance["command"]
    assert "-p lex True" in provenance["command"] and "n_tasks" not in provenance["command"]
    assert provenance["device"] and provenance["versions"]["torch"] == torch.__version__
    assert provenance["processor"] and datetime.fromisoformat(provenance["date"]).tzinfo
    assert provenance["seconds"] > 0 and provenance["threads"] == 1
    assert str(run.path.parent) not in json.dumps(provenance)


class Watching(Tracker):
    """A tracker that looks at something whenever it is told metrics."""

    def __init__(self, look):
        self.look, self.seen = look, []

    def log(self, metrics, step):
        self.seen.append(self.look())

    def finish(self):
        self.seen.append("end")


def test_threads_are_set_for_the_training_and_given_back():
    before = torch.get_num_threads()
    tracker = Watching(torch.get_num_threads)
    run = runs.get(TINY | {"threads": before + 1}, tracker=tracker)
    assert run.provenance["threads"] == before + 1
    assert tracker.seen == [before + 1] * 3 + ["end"] and torch.get_num_threads() == before


def test_stored_weights_are_those_of_the_best_validation_loss():
    """A small set learned by heart: validation gets worse long before the last step."""
    run = runs.get(
        {
            "n_train_samples": 32,
            "n_epochs": 120,
            "eval_every": 10,
            "n_test_samples": 100,
            "d_model": 64,
        }
    )
    best = int(run.metrics["step"][run.metrics["validation_loss"].idxmin()])
    assert 0 < best < 120 and set(run.results["step"]) == {best}
    last = load_file(run.path / "last.safetensors")
    assert not run.model.state_dict()["start"].equal(last["start"])
    tokens = tasks.build(run.settings).validation()
    loss = models.loss_as_trained(run.model, tokens, seed=0)
    assert loss == pytest.approx(run.metrics["validation_loss"].min(), rel=1e-5)


def test_every_stream_of_a_training_hangs_on_the_seed(monkeypatch):
    states, dropout_seeds = [], []
    build_state, seed_dropout = loop.TrainState, loop.global_generator

    def record_state(*arguments):
        states.append(build_state(*arguments))
        return states[-1]

    def record_seed(seed, device):
        dropout_seeds.append(seed)
        return seed_dropout(seed, device)

    monkeypatch.setattr(loop, "TrainState", record_state)
    monkeypatch.setattr(loop, "global_generator", record_seed)
    for seed in (3, 4):
        dropout_seeds.clear()
        runs.get(TINY | {"lex": True, "seed": seed})
        assert dropout_seeds[0] == seed  # the others are those of evaluations
    first, second = states
    assert first.tables.initial_seed() != second.tables.initial_seed()


def test_the_pool_is_stored_with_the_run(tiny_run):
    run = runs.get(TINY | {"n_tasks": 5})
    assert run.pool.equal(tasks.build(run.settings).pool) and run.pool.shape == (5, 4)
    assert tiny_run(TINY | {"n_tasks": 0}).pool is None


def test_nothing_of_the_machine_is_in_the_key():
    assert Settings().key == parameters.check({"threads": 2, "device": "cpu"}).key
    assert Settings().key != parameters.check({"learning_rate": 1e-4}).key
    assert (
        Settings().key
        != parameters.check({"patience": 10}).key
        != parameters.check({"patience": 9}).key
    )
    assert (
        parameters.check({"lex": True}).key
        != parameters.check({"lex": True, "vocabulary": "gaussian"}).key
    )


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        ({"learning_rate": 1e30}, "the validation loss became nan between steps 0 and 1, with lea"),
        ({"learning_rate": 1e30, "n_steps": 2}, "the training loss became nan between steps 0 an"),
        ({"initial_std": 1e30}, "the validation loss became nan before the first update, with ini"),
    ],
)
def test_weights_without_predictions_are_a_divergence_and_no_run(flat, message):
    """After a single update no training loss has seen the weights that it leaves."""
    tiny = TINY | {"n_steps": 1, "eval_every": 100, "warmup": 0}
    with pytest.raises(FloatingPointError, match=message):
        runs.get(tiny | flat)
    assert not runs.is_stored(parameters.check(tiny | flat))
    assert len(runs.get(tiny).metrics) == 2


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(store):
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(
        parameters.ParameterError,
        match=f"device {missing} is not available here; available: .*cpu; use device auto",
    ):
        runs.get(TINY | {"device": missing})
    assert not store.exists()


def test_the_estimate_is_of_the_right_order():
    flat = {"n_steps": 150, "eval_every": 50}
    estimated, seconds = fit.estimate(parameters.check(flat)), runs.get(flat).provenance["seconds"]
    assert seconds / 5 < estimated < 5 * seconds
    assert fit.estimate(parameters.check({"n_train_samples": 32})) > 0  # a single step


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    "flat", [{}, {"lex": True, "dropout": 0.1}, {"label_permuted": True, "d_model": 128}]
)
def test_a_run_trains_on_cuda(flat):
    """Its results equal those of its weights on the CPU: both use the same random tables."""
    run = runs.get(TINY | {"device": "cuda"} | flat)
    assert run.provenance["device"] != "cpu" and run.metrics["validation_loss"].notna().all()
    best = int(run.results["step"].iloc[0])
    again = evaluation.evaluate(run.predictor, run.references, run.splits, step=best)
    results = run.results_by_row
    pd.testing.assert_frame_equal(again, results, rtol=1e-3, atol=1e-5, check_dtype=False)
    loss = models.loss_as_trained(run.model, tasks.build(run.settings).validation(), seed=0)
    assert loss == pytest.approx(
        run.metrics.set_index("step").loc[best, "validation_loss"], rel=1e-5
    )


def test_the_store_is_listed_and_filtered(tiny_run):
    assert runs.table().empty
    made = [
        tiny_run(TINY | flat)
        for flat in ({}, {"lex": True}, {"lex": True, "n_tasks": 2}, {"n_tasks": 0})
    ]
    (made[0].path.parent / "unfinished").mkdir()
    table = runs.table()
    assert set(table["name"]) == {run.path.name for run in made} and set(table["kind"]) == {
        "normal",
        "lexical",
    }
    (line,) = runs.table(lex=True, n_tasks=2).to_dict("records")
    assert runs.load(line["name"]).path == made[2].path
    wanted = evaluation.select(made[2].results, split="out_of_distribution").loc[
        "symmetrized", "mean"
    ]
    assert line["d_symmetrized"] == wanted and line["best_step"] in (0, 3, 6)
    assert line["d_symmetrized_sem"] > 0 and line["seconds"] == made[2].provenance["seconds"]
    assert runs.table(seed=5).empty and len(runs.table(n_epochs=1)) == len(made)
    with pytest.raises(parameters.ParameterError, match="did you mean n_tasks"):
        runs.table(n_task=2)
    with pytest.raises(
        parameters.ParameterError, match="lex .* must be True or False, got 'perhaps'"
    ):
        runs.table(lex="perhaps")


def test_a_run_that_cannot_be_read_is_named_and_left_out(capsys, tiny_run):
    kept, damaged = tiny_run(TINY), tiny_run(TINY | {"seed": 1})
    (damaged.path / "settings.json").write_text('{"task": ')
    assert runs.table()["name"].tolist() == [kept.path.name]
    message = capsys.readouterr().err
    assert message.startswith(f"left out: {damaged.path}/settings.json is missing or was altered")
    assert message.count("\n") == 1
