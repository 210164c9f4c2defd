"""Names and alphabets: the optima of the dials by enumeration, standings, transfer, forecasts."""

import itertools
import random
from math import exp, log

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch.testing import assert_close

from lexurn import brief, models, runs
from lexurn.base.seeding import generator
from lexurn.chapters.names import forecasts, law, optima, standings, summaries, transfer
from lexurn.chapters.names import plots as names_plots
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, memorization
from lexurn.publish import claims
from lexurn.runs import sweeps

POOL = Urns(3).sample_tasks(2, generator=generator(0, "urns"))
TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 6}


def check_against_enumeration(predictor, joint, n_names, length=4):
    """`joint(names)` is the probability of a sequence of names; compare all conditionals."""
    sequences = torch.tensor(list(itertools.product(range(n_names), repeat=length)))
    probabilities = torch.tensor([joint(names) for names in sequences]).double()
    assert probabilities.sum().item() == pytest.approx(1)
    log_probs = predictor(sequences)
    for number, names in enumerate(sequences):
        prefix = (sequences[:, :-1] == names[:-1]).all(1)
        if probabilities[prefix].sum() > 0:
            expected = probabilities[prefix] / probabilities[prefix].sum()
            assert_close(log_probs[number, -1].exp(), expected)


def test_the_optimum_of_shared_tables_by_enumeration():
    tables = torch.tensor([[0, 1, 2], [2, 0, 3], [1, 2, 0]])

    def joint(names):
        total = 0.0
        for table, urn in itertools.product(tables.tolist(), POOL.tolist()):
            theta = dict(zip(table, urn, strict=True))
            product = 1.0
            for name in names.tolist():
                product *= theta.get(name, 0.0)
            total += product / (len(tables) * len(POOL))
        return total

    check_against_enumeration(optima.shared_tables(POOL, tables, n_names=4), joint, 4)
    with pytest.raises(AssertionError):  # the planted fault: one table too few
        check_against_enumeration(optima.shared_tables(POOL, tables[:2], n_names=4), joint, 4)


def test_the_optimum_of_a_table_that_is_sometimes_redrawn_by_enumeration():
    def joint(names):
        fixed = POOL[:, names].prod(-1).mean().item()
        orders = [list(order) for order in itertools.permutations(range(3))]
        any_order = sum(POOL[:, order][:, names].prod(-1).mean().item() for order in orders) / 6
        return 0.7 * fixed + 0.3 * any_order

    check_against_enumeration(optima.redrawing(POOL, 0.3), joint, 3)


def test_the_optimum_with_kept_names_by_enumeration():
    def joint(names):
        orders = [[0, *order] for order in itertools.permutations([1, 2])]
        return sum(POOL[:, order][:, names].prod(-1).mean().item() for order in orders) / 2

    check_against_enumeration(optima.keeping_names(POOL, 1), joint, 3)


def test_standings_from_stored_results_agree_with_the_models(tiny_run):
    run = tiny_run(TINY | {"n_names": 9, "n_alphabets": 3})
    (row,) = standings.standings([run]).to_dict("records")
    tokens, s = run.splits["in_distribution"], run.references["symmetrized"]

    as_trained = models.as_trained_predictor(run.model, seed=run.settings.training.seed)
    captured = memorization.captured(as_trained, s, run.pool, tokens)
    assert row["deficit"] == pytest.approx(log(1 - captured))
    new = models.as_trained_predictor(run.model, seed=0, new_tables=True)
    captured_new = memorization.captured(new, s, run.pool, tokens)
    assert row["deficit_new"] == pytest.approx(log(1 - captured_new))
    ends = {"generalizing": run.references["generalizing"], "symmetrized": s}

    relative = comparison.relative_distance(
        as_trained, ends, tokens, generator=generator(0, "r"), memorizing="symmetrized"
    )
    assert row["relative"] == pytest.approx(relative.interval.value)


def test_steps_to_m_are_interpolated():
    metrics = pd.DataFrame({"step": [0, 10, 20], transfer.MEASURE: [0.5, 0.05, 0.0005]})
    assert transfer.first_step_below(metrics, 0.005) == pytest.approx(15)
    assert transfer.first_step_below(metrics, 1e-5) == float("inf")
    assert transfer.first_step_below(metrics, 1.0) == 0


def test_transfer_starts_from_another_urn_with_the_weights_of_the_origin():
    every = transfer.points([3])
    assert len(every) == 1 + 4 * len(transfer.TRAINABLE)
    origin = transfer.origin_settings("lexical", 3)
    assert every["lexical", "all", 3].training.init_from == origin.key
    assert origin.training.seed != every["lexical", "all", 3].training.seed


def test_every_forecast_has_a_number_and_every_number_a_forecast():
    """On made tables in which the deficit is ln K − 5 for every urn and cell."""
    grids = [f"names_{name}" for name in ("alphabets", "between", "controls", "vectors", "widths")]
    grids += [
        f"names_{name}" for name in ("three", "rivals", "tables", "long", "repeats", "blocks")
    ]
    tables = {}
    for grid in grids:
        sweep = sweeps.read(grid)
        cells = law.cells_of([point.name for point in sweep.points], sweep.coordinates)
        rows = []
        for point, cell in zip(sweep.points, cells, strict=True):
            has_law = grid in ("names_alphabets", "names_between") and law.is_random(cell)
            k = law.alphabets_of(cell)[1] if has_law else 20
            noise = 0.01 * (point.training.seed % 3)
            row = {
                "seed": point.training.seed,
                "cell": cell,
                "deficit": log(k) - 5 + noise * k**0.5,
            }
            rows.append(row | {"deficit_new": 0.0, "toward_m": noise})
        tables[grid] = pd.DataFrame(rows)
    transfers = pd.DataFrame(
        [
            {"origin": origin, "trainable": "all", "seed": seed, "steps": 50.0 + seed + number}
            for number, origin in enumerate(transfer.ORIGINS)
            for seed in range(6)
        ]
    )
    measured = forecasts.measurements(tables, transfers)
    assert measured.keys() == {key for key in claims.read() if key.startswith("names/")}
    for key, ours in measured.items():
        assert ours.n == claims.get(key).n, key
    assert measured["names/alphabets_at_32_names"].value == pytest.approx(log(512 / 8), abs=0.5)
    assert measured["names/alphabets_explain_more"].value > 0.5


def made_deficits(formula, cells, n_urns=5):
    """Deficits by a formula of ln K and ln N, and an effect of each urn that all cells share."""
    numbers = {cell: law.alphabets_of(cell) for cell in cells}
    columns = {cell: formula(log(k), log(n)) for cell, (n, k) in numbers.items()}
    rows = [{cell: y + 0.1 * (urn - 2) for cell, y in columns.items()} for urn in range(n_urns)]
    return pd.DataFrame(rows)


def test_the_law_that_made_the_cells_is_found_and_predicts_others():
    cells = ["N4", *(f"N{n} K{k}" for n in (8, 16, 32) for k in (2, 8, 32, 128)), "N16 all"]
    others = ["N12 K4", "N12 all", "N24 K64", "N24 all"]
    made = {
        "two routes": lambda k, n: min(0.4 * k - 2.6, 1.1 * n - 4.0),
        "additive": lambda k, n: 0.2 * k + 0.3 * n - 3.0,
    }
    for name, formula in made.items():
        fitted, held_out = (made_deficits(formula, some) for some in (cells, others))
        errors = law.compare(law.cells(fitted), law.cells(held_out)).set_index("law")
        assert errors.loc[name, ["fitted", "left_out", "held_out"]].max() < 1e-3
        wrong = errors.drop(index=name)
        assert wrong["held_out"].min() > 0.05  # the control: the other laws do not fit
        if name == "two routes":
            assert law.fit(name, law.cells(fitted)) == pytest.approx([-2.6, 0.4, -4.0, 1.1])
            ratio = law.held_out_errors(fitted, held_out)["ratio"]
            assert len(ratio) == 5 and ratio.mean() < 0.05


def test_distinct_triples_of_random_sets_are_counted():
    """Against sets that are drawn; one set has four triples, and all sets have all."""
    dice = random.Random(0)
    for n, k in ((8, 3), (8, 20), (16, 64)):
        every = list(itertools.combinations(range(n), 4))
        counts = []
        for _ in range(200):
            triples = {t for s in dice.sample(every, k) for t in itertools.combinations(s, 3)}
            counts.append(len(triples))
        expected = exp(law.distinct_subsets(3, log(k), log(n)))
        assert expected == pytest.approx(sum(counts) / len(counts), rel=0.03)  # without replacement
    assert exp(law.distinct_subsets(3, 0.0, log(32))) == pytest.approx(4)
    assert exp(law.distinct_subsets(3, 0.0, log(4))) == pytest.approx(4)
    assert exp(law.distinct_subsets(3, log(35_960), log(32))) == pytest.approx(4960)
    assert exp(law.distinct_subsets(2, 0.0, log(8))) == pytest.approx(6)


def test_groups_and_designs_are_no_random_sets():
    table = law.cells(
        made_deficits(lambda k, n: k, ["N16 K8", "N16 all"]).assign(
            **{"N16 groups": 0.0, "N16 design": 0.0}
        )
    )
    assert list(table.index) == ["N16 K8", "N16 all"]
    assert table["n_alphabets"].tolist() == [8, 1820]


def test_weights_of_a_lexical_model_start_a_normal_one(tiny_run):
    first = tiny_run(TINY | {"lex": True, "seed": 5})
    second = runs.get(TINY | {"init_from": first.settings.key, "trainable": "outside_backbone"})
    assert_close(second.model.backbone.state_dict(), first.model.backbone.state_dict())
    assert not torch.equal(second.model.start, first.model.start)


def test_missing_shares_are_geometric_means_over_urns_with_intervals():
    deficits = pd.DataFrame({"N4": [log(0.08), log(0.32), log(0.16)], "N8 all": [log(0.5)] * 3})
    table = summaries.shares(deficits).set_index("cell")
    assert table.loc["N4", "missing"] == pytest.approx(0.16)
    assert table.loc["N4", "low"] < 0.08 < 0.32 < table.loc["N4", "high"]
    assert table.loc["N8 all", "low"] == pytest.approx(0.5) == table.loc["N8 all", "high"]
    ratio = summaries.contrasts({"half": (deficits["N8 all"], deficits["N4"])}).iloc[0]
    assert ratio["factor"] == pytest.approx(0.5 / 0.16) and ratio["n"] == 3


def test_gaps_are_paired_by_urn_and_leave_out_what_has_no_new_alphabets():
    seen = pd.DataFrame(
        {"N8 K4": [-2.0, -1.0, -3.0], "N8 all": [-1.0] * 3, "N16 groups": [0.0] * 3}
    )
    new = seen + pd.DataFrame(
        {"N8 K4": [1.0, 1.0, 1.0], "N8 all": [float("nan")] * 3, "N16 groups": [1.0] * 3}
    )
    (row,) = summaries.gaps(seen, new).to_dict("records")
    assert (row["cell"], row["alphabets"], row["per_name"]) == ("N8 K4", 4, 2.0)
    assert (
        row["factor"] == pytest.approx(2.718281828) == row["low"]
    )  # urns differ, the gap does not


def test_the_law_is_drawn_through_the_cells_that_it_was_fitted_to():
    cells = ["N4", *(f"N{n} K{k}" for n in (8, 16, 32) for k in (2, 8, 32, 128))]
    made = [
        made_deficits(lambda k, n: 0.4 * law.distinct_subsets(3, k, n) - 3.0, some)
        for some in (cells, ["N12 K4", "N12 all"])
    ]
    table = summaries.alphabets_table(*made)
    assert set(table["what"]) == {"fitted", "held out", "law"}
    assert set(table["names"]) == {f"{n} names" for n in (4, 8, 12, 16, 32)}
    law_of_12 = table[(table["names"] == "12 names") & (table["what"] == "law")]
    point = table[(table["names"] == "12 names") & (table["what"] == "held out")].iloc[-1]
    assert law_of_12["missing"].iloc[-1] == pytest.approx(point["missing"], rel=0.01)
    axes = Figure().subplots()
    names_plots.missing_by_alphabets(table, axes)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    labels = axes.get_legend_handles_labels()[1]
    assert "12 names, held out" in labels and "12 names" not in labels


def test_the_box_of_a_chapter_shows_what_it_is_given():
    box = brief(
        question="Is 1 < 2?", done="We look.", found=["a & b", "c"], sure="n = 1.", change="3."
    )
    assert "Is 1 &lt; 2?" in box.data and box.data.count("<li>") == 2
    assert 'class="brief admonition"' in box.data and "a &amp; b" in box.data
