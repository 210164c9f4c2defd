"""Sizes of transformers: rates come from other seeds, and what is kept is counted by size."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lexurn.chapters.rules import decisions, plots, sizes
from lexurn.chapters.rules.programs import Program
from lexurn.publish import claims
from lexurn.runs import sweeps

RATES = [0.003, 0.01, 0.03]


def losses_of(grid, best):
    """Return validation losses of a tuning seed with the least one at the rate `best(cell)`."""
    rows = []
    for point in grid.points:
        cell = sizes.describe_point(point)
        rows += [
            cell | {"seed": 20, "learning_rate": rate, "loss": float(rate != best(cell))}
            for rate in RATES
        ]
    return pd.DataFrame(rows).drop_duplicates()


def test_the_rate_of_each_size_is_that_of_the_least_loss():
    grid = sweeps.read("rules_sizes")
    table = sizes.chosen_rates(
        losses_of(grid, lambda cell: 0.03 if cell["n_layers"] == 2 else 0.01)
    )
    assert len(table) == len({tuple(row) for row in table[sizes.CELL].to_numpy()})
    assert (
        table["learning_rate"] == table["n_layers"].map(lambda n: 0.03 if n == 2 else 0.01)
    ).all()
    assert (table["is_edge"] == (table["n_layers"] == 2)).all()


def test_a_rate_that_was_not_chosen_and_a_seed_of_the_tuning_are_mistakes():
    grid = sweeps.read("rules_sizes")
    rates = {}
    for point in grid.points:
        cell = sizes.describe_point(point)
        rates[tuple(cell[name] for name in sizes.CELL)] = cell["learning_rate"]
    losses = losses_of(grid, lambda cell: rates[tuple(cell[name] for name in sizes.CELL)])
    assert sizes.rate_mistakes(losses, grid) == []
    seed = grid.points[0].training.seed
    (message,) = sizes.rate_mistakes(losses.assign(seed=seed), grid)
    assert message == f"seed {seed} took part in the tuning"
    others = losses_of(grid, lambda _: 0.003)
    n_other = sum(rate != 0.003 for rate in rates.values())
    assert n_other and len(sizes.rate_mistakes(others, grid)) == n_other
    one_less = losses[losses["n_layers"] != 7]
    assert len(sizes.rate_mistakes(one_less, grid)) == 2  # both positional encodings


def test_the_two_grids_differ_in_seeds_and_rates_alone():
    tuning, grid = sweeps.read("rules_rates"), sweeps.read("rules_sizes")
    tables = [pd.DataFrame(map(sizes.describe_point, each.points)) for each in (tuning, grid)]
    cells = [set(map(tuple, table[sizes.CELL].to_numpy())) for table in tables]
    assert cells[0] == cells[1] and len(cells[0]) == 10
    assert not set(tables[0]["seed"]) & set(tables[1]["seed"])
    kept = [
        {
            key: value
            for key, value in grid.points[0].flat().items()
            if key not in (*sizes.CELL, "learning_rate", "seed")
        }
        for grid in (tuning, grid)
    ]
    assert kept[0] == kept[1]


@pytest.fixture
def shares():
    """Return the shares of models that end by the surplus (rotary), or by the number of letters."""
    maps, prompts = [], []
    for model, kept in (("rotary", 0.75), ("transformer", 0.25)):
        for size in ("2 layers, width 32, 2 heads", "7 layers"):
            for seed in (21, 22):
                which = {"model": f"{model}, {size}", "seed": seed}
                one_map = decisions.predictor_map(Program(2, 32))
                if model == "transformer":  # ends by the number of letters
                    one_map["eos"] = one_map["letters"] / 12
                maps.append(one_map.assign(**which))
                table = pd.DataFrame({"prompt": ["ba", "bb"], "value": [2 * kept, 0.0]})
                prompts.append(table.assign(decoding="greedy", **which))
                prompts.append(table.assign(decoding="sampled", value=9.0, **which))
    return sizes.shares_by_size(pd.concat(maps), pd.concat(prompts))


def test_shares_are_counted_by_size_and_seed(shares):
    table = shares.set_index(["what", "model", "size", "seed"])["value"]
    assert len(table) == 16 and table.index.is_unique
    assert table[sizes.EXPLAINED, "rotary", "7 layers", 22] == pytest.approx(1)
    assert table[sizes.EXPLAINED, "transformer", "7 layers", 22] < 0.3
    assert table[sizes.KEPT, "rotary", "2 layers, width 32, 2 heads", 21] == 0.75


def test_the_forecasts_have_values_by_seed(shares):
    values = sizes.size_values(shares, "2 layers, width 32, 2 heads", "7 layers")
    assert {f"rules/{name}" for name in values} <= claims.read().keys()
    assert all(list(value.index) == [21, 22] for value in values.values())
    assert values["sizes_kept_difference"].tolist() == [0.5, 0.5]
    assert values["sizes_rotary_deep_minus_shallow"].tolist() == pytest.approx([0, 0])
    assert values["sizes_explained_least_difference"].min() > 0.7
    swapped = shares.assign(model=shares["model"].map({"rotary": "transformer"}).fillna("rotary"))
    values = sizes.size_values(swapped, "2 layers, width 32, 2 heads", "7 layers")
    assert values["sizes_explained_least_difference"].max() < -0.7


def test_the_plot_shows_every_seed_and_the_means(shares):
    axes = Figure().subplots()
    kept = shares[shares["what"] == sizes.KEPT].drop(columns="what")
    assert plots.sizes(kept, axes) is axes
    n_points = [len(line.get_xdata()) for line in axes.lines]
    assert n_points == [4, 2, 4, 2]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(kept["size"].unique())
