"""The completions that stand beside the explorable of prompts, and what its caption counts."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lexurn.chapters.rules import live, plots
from lexurn.generators.strings import EOS
from lexurn.measures.rules import complete_with_predictor

FLAT = {
    **{"task": "language", "language": "aNbN", "context_length": 12, "d_model": 16},
    **{"n_layers": 2, "n_steps": 60, "eval_every": 60, "n_test_samples": 20},
}


@pytest.fixture
def runs(tiny_run):
    kinds = {"rotary": {"positions": "rotary"}, "lstm": {"backbone": "lstm"}}
    return {kind: tiny_run(FLAT | flat) for kind, flat in kinds.items()}


def test_completions_are_those_of_the_predictor_and_judged_as_whole_strings(runs):
    prompts = [*live.PROMPTS, "b", "a" * 12]
    table = live.greedy_completions(runs, prompts).set_index(["model", "prompt"])
    assert len(table) == 2 * len(prompts)
    for kind, run in runs.items():
        for prompt in prompts:
            tokens = live.LANGUAGE.encode([prompt], length=13)[:, : len(prompt)]
            string = complete_with_predictor(run.predictor, tokens, limit=13)
            written, verdict = table.loc[(live.TITLES[kind], prompt)]
            whole = live.LANGUAGE.decode(string)[0][:12]
            assert prompt + written == whole
            is_balanced = whole.count("a") == whole.count("b")
            has_ended = bool((string == EOS).any())
            assert verdict == (["broken", "kept"][is_balanced] if has_ended else "not ended")
    assert {*table["verdict"]} >= {"kept", "broken"}


def test_the_caption_counts_kept_prompts_and_the_range_over_seeds():
    verdicts = {"LSTM": ["kept", "broken", "kept"], "Mamba": ["not ended", "broken", "broken"]}
    table = pd.DataFrame([(m, v) for m, vs in verdicts.items() for v in vs])
    assert live.count_kept(table.set_axis(["model", "verdict"], axis=1)) == "2 (LSTM), 0 (Mamba)"
    rows = [
        (language, kind, what, seed, value)
        for kind in live.TITLES
        for language, what, values in [
            ("aNbN", "greedy", (0.25, 0.5, 0.125)),
            ("aNbN", "sampled", (0.9, 0.0, 0.1)),
            ("dyck", "greedy", (1.0, 0.0, 0.0)),
        ]
        for seed, value in enumerate(values)
    ]
    rates = pd.DataFrame(rows, columns=["language", "model", "what", "seed", "value"])
    told = live.rate_ranges(rates)
    assert told.startswith("0.12 to 0.50 (rotary positions), 0.12 to 0.50 (learned positions), ")
    assert "0.00" not in told  # neither sampled nor another language


def test_a_grid_of_completions_has_a_sign_and_a_colour_for_every_verdict():
    rows = [("LSTM", "ba", "", "kept"), ("Mamba", "ba", "a" * 12 + "bbb", "broken")]
    rows += [("LSTM", "aab", "bbbb", "not ended"), ("Mamba", "aab", "b", "kept")]
    table = pd.DataFrame(rows, columns=["model", "prompt", "completion", "verdict"])
    axes = plots.completions(table, Figure().add_subplot())
    texts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    kept, broken, open_ended = (plots.VERDICT_STYLES[row[3]][1] for row in rows[:3])
    assert texts == {
        (0, 0): ("✓  ■", kept),
        (1, 0): ("✗  a¹²bbb■", broken),
        (0, 1): ("…  b⁴", open_ended),
        (1, 1): ("✓  b■", kept),
    }
    assert len({kept, broken, open_ended}) == 3
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ba", "aab"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["LSTM", "Mamba"]


def test_only_long_runs_are_powers():
    assert plots.shorten("") == "" and plots.shorten("abbaaab") == "abbaaab"
    assert plots.shorten("a" * 4 + "b" + "a" * 13) == "a⁴ba¹³"
