"""Rule extrapolation along training: checkpoints, both protocols, lengths, and plots."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from processes import fork_workers

from lexurn import runs
from lexurn.base import session
from lexurn.base.seeding import generator
from lexurn.chapters.rules import baselines, extrapolation, languages
from lexurn.chapters.rules import plots as rules_plots
from lexurn.chapters.rules.completion import complete
from lexurn.chapters.rules.masses import rule_masses, uniform_strings
from lexurn.chapters.train import one_run
from lexurn.figures import plots
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts
from lexurn.measures import intervals, rules
from lexurn.predictors.grammars import oracle
from lexurn.runs import cache, checkpoints, store, sweeps, workers

FLAT = {
    "language": "aNbN",
    "context_length": 12,
    "d_model": 16,
    "n_steps": 120,
    "eval_every": 60,
    "n_test_samples": 60,
}
FLAT |= {"n_checkpoints": 3, "max_length": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield runs.get(FLAT)


def of(table, **values):
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def test_every_checkpoint_is_evaluated_with_its_own_weights(run):
    table = extrapolation.rates_along_training(run)
    steps = sorted(table["step"].unique())
    assert (
        set(checkpoints.choose_steps(120, 3)) <= set(steps)
        and len(checkpoints.choose_steps(120, 3)) == 3
    )
    mass = of(table, prompts="words", measure="both", best=False).set_index("step")["value"]
    assert mass.nunique() == 3  # a model that stays the same would give one
    for step, model in run.checkpoints():
        outside = prompts("aNbN")["out_of_distribution"]
        expected = rules.judge_completions(
            LANGUAGES["aNbN"], outside, complete(model, outside, limit=13)
        )
        rates = of(table, step=step, best=False, prompts="out_of_distribution", decoding="greedy")
        values = rates.set_index("measure").loc[expected["measure"], "value"]
        assert values.tolist() == pytest.approx(expected["value"].tolist(), nan_ok=True)
    chosen = table[table["best"]]
    assert set(chosen["decoding"]) == {"greedy", "sampled", "exact"}
    assert chosen["step"].nunique() == 1
    sampled = of(chosen, decoding="sampled", prompts="out_of_distribution", measure="finished")
    assert sampled["n"].item() == 4 * 251


def test_the_published_protocol_takes_the_best_rate_of_finished_completions():
    lines = [
        (0, 20, "rule_1_of_finished", 0.5, 10, False),
        (0, 60, "rule_1_of_finished", 0.9, 2, False),  # the best, of two that ended
        (0, 60, "rule_1", 0.1, 251, False),
        (0, 90, "rule_1_of_finished", 0.2, 251, False),
        (0, 90, "rule_1_of_finished", 1.0, 251, True),  # the best validation loss is left out
        (1, 20, "rule_1_of_finished", float("nan"), 0, False),
    ]
    table = pd.DataFrame(lines, columns=["seed", "step", "measure", "value", "n", "best"])
    table = table.assign(
        model="m", language="aNbN", prompts="out_of_distribution", decoding="greedy"
    )
    best = extrapolation.best_rates(table).set_index("seed")
    assert best.loc[0, ["step", "value", "n"]].tolist() == [60, 0.9, 2]
    assert pd.isna(best.loc[1, "value"])
    over = intervals.mean_over_seeds(extrapolation.best_rates(table), ["language", "model"])
    assert over["mean"].item() == 0.9 and over["n"].item() == 1 and over["sem"].isna().all()


def test_excess_is_in_nats_a_word(run):
    table = languages.excess(run).set_index(["split", "reference"])
    tokens = run.splits["in_distribution"]
    answers = [
        each(tokens).gather(-1, tokens[..., None])[..., 0]
        for each in (run.references["oracle"], run.predictor)
    ]
    wanted = (answers[0] - answers[1]).sum(-1)
    assert table.loc[("in_distribution", "oracle"), "value"] == pytest.approx(wanted.mean().item())
    assert table.loc[("in_distribution", "oracle"), "sem"] == pytest.approx(
        wanted.std().item() / 60**0.5
    )
    rows = languages.by_row(run, reference="oracle")
    assert rows["value"].sum() == pytest.approx(wanted.mean().item()) and rows[
        "row"
    ].tolist() == list(range(13))
    along = languages.learning(run)
    assert along["value"].iloc[-1] < along["value"].iloc[0] and along["step"].tolist() == [
        0,
        60,
        120,
    ]
    said = one_run.describe(run)
    assert "is the oracle. Regret of the model in nats per sequence:" in said and "inf" not in said
    assert one_run.shown_splits(run) == ["in_distribution", "longer"]


def test_renamed_words_are_measured_where_training_has_them():
    run = runs.get(FLAT | {"label_permuted": True, "n_checkpoints": 0})
    words = run.splits["relabelled"]
    begins = words[:, 0].bincount(minlength=5)[3:]
    assert (begins > 15).all() and (run.splits["in_distribution"][:, 0] == 3).all()
    found = languages.excess(run).set_index(["split", "reference"])["value"]
    assert ("relabelled", "oracle") not in found.index  # it knows other names
    rows = languages.by_row(run)
    assert rows["value"].sum() == pytest.approx(found["relabelled", "relabelled"], rel=1e-6)
    assert "relabelled" not in runs.get(FLAT | {"n_checkpoints": 0}).splits


def test_entropies_are_exact_or_say_how_sure_they_are():
    short = languages.entropies(["aNbN", "dyck", "cs_dyck"], 32).set_index("language")
    assert short.loc["aNbN", "word"] == pytest.approx(2.7726, abs=1e-4)
    assert short.loc["dyck", "word"] == pytest.approx(8.748054, abs=1e-6)
    assert short.loc["dyck", "position"] == pytest.approx(0.77688, abs=1e-5)
    assert short.loc["dyck", "original"] == pytest.approx(0.26509, abs=1e-5)
    assert short["n"].tolist() == [0, 0, 2000] and (short["sem"] > 0).tolist() == [0, 0, 1]
    long = languages.entropies(["dyck"], 256).set_index("language")
    assert long.loc["dyck", "word"] == pytest.approx(56.171199, abs=1e-6)
    assert short["strings"].tolist() == [16, 737_154_146_214, 4_954_807_791_957_262]
    assert languages.entropies(["baN"], 32)["strings"].item() == 2**31


GRID = """
fixed: {language: aNbN, context_length: 12, d_model: 8, n_steps: 20, eval_every: 10,
  n_test_samples: 20, n_checkpoints: 2}
axes:
  model:
    rotary: {positions: rotary, n_heads: 1}
    lstm: {backbone: lstm}
seeds: 2
"""


def test_the_tables_of_a_grid_are_cached_and_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "runs"))
    (tmp_path / "small.yaml").write_text(GRID)
    grid, told = sweeps.read(tmp_path / "small.yaml"), []
    assert [point.backbone.name for point in grid.where(model="lstm")] == ["lstm", "lstm"]
    for point in grid.points:
        runs.get(point)
    monkeypatch.setattr(session.current(), "used_files", set())
    table = cache.grid_table(
        grid, extrapolation.rates_along_training, name="rules-test", say=told.append
    )
    # The chapter depends on the table, not on the weights.
    assert not any(name.endswith(store.WEIGHTS) for name in session.current().used_files)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    fork_workers(monkeypatch)
    beside = cache.grid_table(
        grid, extrapolation.rates_along_training, name="beside", jobs=2, say=told.append
    )
    pd.testing.assert_frame_equal(beside, table)
    assert told[-1] == "4 tables computed, 0 loaded from the store."
    assert set(table["model"]) == {"rotary", "lstm"} and set(table["seed"]) == {0, 1}
    assert set(grid.table()["model"]) == {"rotary", "lstm"}
    monkeypatch.setattr(cache, "make_table", None)
    again = cache.grid_table(
        grid, extrapolation.rates_along_training, name="rules-test", say=told.append
    )
    pd.testing.assert_frame_equal(again, table)
    rates = table.assign(language="aNbN")
    every = extrapolation.rates_by_seed(rates)
    levels = baselines.baseline_levels(["aNbN"], 13)
    assert len(every) == 3 * 4 and set(every["what"]) == set(list(rules_plots.RATE_STYLES)[:3])
    at = levels.set_index("what")["value"]
    assert at["immediate EOS"] == pytest.approx(69 / 251) and 0.13 < at["chance"] < 0.17
    axes = Figure().subplots()
    published = pd.DataFrame([{"model": "lstm", "what": "published", "value": 0.4}])
    rules_plots.extrapolation(pd.concat([every, levels, published]), axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rotary", "lstm"]
    drawn = {line.get_label(): line for line in axes.lines}
    assert drawn["published"].get_xdata().tolist() == [0.4]
    assert drawn["chance"].get_xdata()[0] == at["chance"]
    means = every[every["what"] == "sampled"].groupby("model", sort=False)["value"].mean()
    assert drawn["sampled"].get_xdata().tolist() == pytest.approx(means.tolist())
    progress = extrapolation.rule_progress(rates)
    assert len(progress) == 2 * 4  # two rules, four runs, one checkpoint each
    assert progress["value"].max() <= 1


def test_progress_is_zero_for_chance_and_one_if_the_rule_always_holds():
    language = LANGUAGES["aNbN"]
    for predictor, wanted in (
        (uniform_strings(language), (0.0, 0.0)),
        (oracle("aNbN", max_length=12), (1.0, 1.0)),
    ):
        table = rule_masses(predictor, language).assign(
            prompts="words", best=False, language="aNbN", model="m", seed=0, step=1
        )
        progress = extrapolation.rule_progress(table).set_index("rule")["value"]
        assert progress[["rule 1", "rule 2"]].tolist() == pytest.approx(wanted, abs=1e-12)
    # Rule 2 always holds, rule 1 in one string of seven.
    half = rule_masses(oracle("aNbM", max_length=10), language)
    table = half.assign(prompts="words", best=False, language="aNbN", model="m", seed=0, step=1)
    progress = extrapolation.rule_progress(table).set_index("rule")["value"]
    assert progress["rule 2"] == pytest.approx(1) and progress["rule 1"] < 0.2


def test_bad_sets_of_settings_are_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    for text, said in (
        (
            GRID.replace("positions", "position"),
            "position is no parameter of any chapter; did you mean positions?",
        ),
        (
            GRID.replace("{backbone: lstm}", "{backbone: lstm, d_model: 4}"),
            "d_model is given twice",
        ),
        (GRID.replace("model:\n", "models: [1]\n  x:\n"), "models is no parameter"),
        (
            GRID.replace("{backbone: lstm}", "rotary"),
            "axes: Input should be a valid list",
        ),
        (
            GRID.replace("seeds", "  positions: [none]\nseeds"),
            "positions is given twice, by seeds",
        ),
    ):
        path.write_text(text)
        with pytest.raises(Exception, match=said.replace("?", r"\?")):
            sweeps.read(path)
    path.write_text(GRID.replace("rotary: {positions: rotary, n_heads: 1}", "plain:"))
    assert sweeps.read(path).points[0].backbone.name == "transformer"  # an empty set: the defaults


def test_bands_of_shares_stay_between_zero_and_one():
    axes = Figure().subplots()
    table = pd.DataFrame({"who": "m", "x": [0.0, 1.0], "mean": [0.9, 0.1], "sem": 0.2})
    plots.curves(table, axes, x="x", within=[0.0, 1.0])
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == 1 and heights.min() == 0


def test_a_lexical_model_completes_each_prompt_under_its_own_table(monkeypatch, tmp_path):
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path))
    run = runs.get(FLAT | {"lex": True, "n_steps": 20, "eval_every": 10, "n_checkpoints": 1})
    table = extrapolation.rates_along_training(run)
    outside = prompts("aNbN")["out_of_distribution"]
    draw = run.model.vocabulary.draw(len(outside), generator=generator(0, "completions"))
    assert len(draw.unique(dim=0)) > 20
    completed = complete(run.model, outside, limit=13, table=draw)
    expected = rules.judge_completions(LANGUAGES["aNbN"], outside, completed)["value"]
    rates = of(table, best=True, prompts="out_of_distribution", decoding="greedy")
    assert rates["value"].tolist() == pytest.approx(expected.tolist(), nan_ok=True)
    assert np.isfinite(rates["n"]).all()


def test_the_means_over_prompts_are_the_rates_of_the_run(run):
    by_prompt = extrapolation.rates_by_prompt(run)
    rates = extrapolation.rates_along_training(run)
    rates = of(rates, best=True, prompts="out_of_distribution", measure=rules.MAIN_MEASURE)
    outside = prompts("aNbN")["out_of_distribution"]
    assert set(by_prompt["prompt"]) == set(LANGUAGES["aNbN"].decode(outside))
    for decoding, group in by_prompt.groupby("decoding"):
        expected = of(rates, decoding=decoding)["value"].item()
        assert len(group) == 251 and group["value"].mean() == pytest.approx(expected)
    sampled = of(by_prompt, decoding="sampled")["value"]
    assert sampled.isin([0.0, 0.25, 0.5, 0.75, 1.0]).all() and sampled.nunique() > 2
    equal_seeds = pd.concat([by_prompt.assign(seed=seed, model="one") for seed in range(3)])
    table = extrapolation.crossed_intervals(equal_seeds, ["model", "decoding"])
    greedy = table.set_index("decoding").loc["greedy"]
    assert greedy[["n", "prompts"]].tolist() == [3, 251]
    assert greedy["over_seeds"] == 0 and greedy["over_prompts"] > 0
