"""`lexurn evaluate`: perplexity and bits per byte of all stored models of text."""

from io import StringIO
from math import exp

import pandas as pd
import pytest
from click.testing import CliRunner
from small_settings import TEXT

from lexurn.cli import main


def evaluate(*conditions, code=0):
    done = CliRunner().invoke(main, ["evaluate", *conditions])
    assert done.exit_code == code, done.output
    return done.output


def test_all_models_of_text_are_scored_and_no_others(tiny_run):
    characters = TEXT | {"tokenizer": "char", "n_tokens": 1024}
    stored = [tiny_run(flat) for flat in (TEXT, TEXT | {"seed": 1}, characters)]
    tiny_run({"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8})
    table = pd.read_csv(StringIO(evaluate("task=text", "--csv"))).set_index("model")
    names = {run.path.name for run in stored}
    labels = {run.settings.task.label for run in stored}
    counted = {f"{name} of {label}" for name in ("unigram", "bigram") for label in labels}
    assert set(table.index) == names | counted
    row = table.loc[stored[0].path.name]
    tokens = stored[0].task.text.tokens("test")
    assert row["tokens"] == len(tokens) and row["perplexity"] == pytest.approx(exp(row["nats"]))
    n_bytes = stored[0].task.text.tokenizer.n_bytes[tokens].sum()
    bits = row["nats"] * len(tokens) / n_bytes / 0.6931471805599453
    assert row["bits/byte"] == pytest.approx(bits)
    assert evaluate("task=text", "seed=1").count("normal-transformer") == 1


def test_a_store_without_models_of_text_is_an_error(tiny_run):
    tiny_run({"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8})
    assert "no stored model of text" in evaluate("task=text", "seed=77", code=1)
