"""The laws of names and alphabets: fits, held-out cells, intervals over urns, forecasts."""

import itertools
import random
from math import exp, log

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.names import law, summaries
from lexurn.chapters.names import plots as names_plots
from lexurn.measures import intervals
from lexurn.settings import Settings


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
        errors = law.compare(law.cells(fitted), {"held_out": law.cells(held_out)})
        errors = errors.set_index("law")
        assert errors.loc[name, ["left_out", "held_out"]].max() < 1e-3
        wrong = errors.drop(index=name)
        assert wrong["held_out"].min() > 0.05  # the control: the other laws do not fit
        if name == "two routes":
            assert law.fit(name, law.cells(fitted)) == pytest.approx([-2.6, 0.4, -4.0, 1.1])
            ratio = law.held_out_errors(fitted, held_out)["ratio"]
            assert len(ratio) == 5 and ratio.mean() < 0.05


def test_intervals_of_the_law_over_urns_cover_the_law_of_all_urns():
    """Urns differ in both parameters, and every cell of an urn has noise of its own."""
    dice, n_urns, n_studies = np.random.default_rng(0), 12, 1000
    numbers = [(4, 1), (8, 8), (16, 64), (32, 512)]
    log_t = np.array([law.distinct_subsets(3, log(k), log(n)) for n, k in numbers])
    own = dice.multivariate_normal([-3.1, 0.4], [[0.4, 0.04], [0.04, 0.01]], (n_studies, n_urns))
    deficits = own[..., :1] + own[..., 1:] * log_t + dice.normal(0, 0.1, (n_studies, n_urns, 4))
    slopes = np.polyfit(log_t, deficits.reshape(-1, 4).T, 1)[0].reshape(n_studies, n_urns)
    table = pd.DataFrame(deficits[0], columns=[f"N{n} K{k}" for n, k in numbers])
    by_urn = law.by_urn("distinct triples", table)
    assert by_urn[1].tolist() == pytest.approx(slopes[0], abs=1e-6)
    assert by_urn.mean().tolist() == pytest.approx(
        law.fit("distinct triples", law.cells(table)), abs=1e-6
    )

    over_urns = [intervals.t_interval(some.tolist()) for some in slopes]
    fits = [stats.linregress(log_t, study.mean(0)) for study in deficits]
    over_cells = [intervals.t_interval_of_mean(fit.slope, fit.stderr, 3) for fit in fits]

    def coverage(some):
        return sum(interval.low < 0.4 < interval.high for interval in some) / n_studies

    assert 0.93 < coverage(over_urns) < 0.97
    assert coverage(over_cells) < 0.8  # the planted fault: cells as units, which share their urns


def test_held_out_errors_of_laws_are_compared_by_urn():
    cells = ["N4", *(f"N{n} K{k}" for n in (8, 16, 32) for k in (2, 32, 64)), "N16 all"]
    dice = np.random.default_rng(0)

    def made(some):
        table = made_deficits(lambda k, n: 0.4 * law.distinct_subsets(3, k, n) - 3.0, some)
        return table + dice.normal(0, 0.03, table.shape)

    others = ["N12 K4", "N12 all", "N24 K64", "N24 all"]
    fitted, measured = made(cells), made([*others, "N24 K8"])
    foretold = law.foretell(fitted, others)
    same, wrong = (
        law.ratio_of_errors(foretold, measured, name, "distinct triples")
        for name in ("distinct triples", "K alone")
    )
    assert same.low == same.high == 1 and wrong.low > 2 and wrong.n == 5


def test_laws_foretell_the_deficits_of_blocks():
    cells = ["N4", *(f"N{n} K{k}" for n in (8, 16, 32) for k in (2, 8, 32, 128)), "N16 all"]
    triples = made_deficits(lambda k, n: 0.4 * law.distinct_subsets(3, k, n) - 3.0, cells)
    blocks = ["30 names in 3 blocks", "32 names in 4 blocks"]
    foretold = {name: table[blocks[0]] for name, table in law.foretell(triples, blocks).items()}
    assert foretold["distinct triples"].mean() == pytest.approx(0.4 * log(3 * 120) - 3.0)
    routes = made_deficits(lambda k, n: min(0.4 * k - 2.6, 1.1 * n - 4.0), cells)
    foretold = {name: table[blocks[0]] for name, table in law.foretell(routes, blocks).items()}
    assert foretold["two routes"].mean() == pytest.approx(
        min(0.4 * log(630) - 2.6, 1.1 * log(30) - 4)
    )
    assert abs(foretold["two routes"] - foretold["distinct triples"]).min() > 0.2


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


@pytest.mark.parametrize(
    ("cell", "settings"),
    [
        ("N16 groups", {"n_names": 16, "alphabets": "groups"}),
        ("N16 design", {"n_names": 16, "alphabets": "design"}),
        ("30 names in 3 blocks", {"n_names": 30, "n_alphabets": 630, "alphabets": "blocks"}),
        ("32 names in 4 blocks", {"n_names": 32, "n_alphabets": 280, "alphabets": "blocks"}),
    ],
)
def test_alphabets_pairs_and_triples_of_cells_by_design_are_those_of_models(cell, settings):
    flat = {"lex": True, "vocabulary": "names"} | settings
    model = models.build(Settings.from_flat(flat), generator=generator(0, "weights"))
    sets = [tuple(sorted(one)) for one in model.vocabulary.alphabets.tolist()]
    counted = [
        len({s for one in sets for s in itertools.combinations(one, m)}) for m in (1, 4, 2, 3)
    ]
    numbers = law.count([cell]).loc[cell]
    assert numbers[["n_names", "n_alphabets", "n_pairs", "n_triples"]].tolist() == counted
    assert numbers["n_triples"] < law.count([f"N{numbers['n_names']:.0f} all"])["n_triples"].iloc[0]


def test_two_laws_are_compared_over_all_numbers_of_random_alphabets():
    cells = ["N4", *(f"N{n} K{k}" for n in (8, 16, 32) for k in (2, 32, 64)), "N16 all"]
    table = law.cells(made_deficits(lambda k, n: 0.4 * k - 2.0, cells))
    same = law.greatest_factor("K alone", "additive", table, max_names=8)
    assert (
        same == pytest.approx(1)
        and law.greatest_factor("K alone", "N alone", table, max_names=8) > 2
    )


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
