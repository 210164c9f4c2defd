"""Exact figures: those that science states, within their noise, and the identities between them."""

import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.data import discrimination
from lexurn.generators.urns import Urns

# (V, C, D): in distribution G, M, S; out of distribution G, M, S; n_pools and n_sequences
STATED = {
    (4, 64, 1): (0.0625, 0.0, 0.036, 0.0625, 0.750, 0.171, 40, 20),
    (4, 64, 4): (0.0625, 0.021, 0.0515, 0.0625, 0.278, 0.087, 40, 20),
    (8, 128, 1): (0.072, 0.0, 0.053, 0.072, 0.875, 0.141, 20, 12),
    (8, 128, 16): (0.072, 0.022, 0.068, 0.073, 0.287, 0.081, 6, 6),
}


@pytest.mark.parametrize("cell", STATED)
def test_distances_from_the_true_urn_are_those_stated(cell):
    n_colors, context_length, n_tasks = cell
    *stated, n_pools, n_sequences = STATED[cell]
    options = {
        "context_length": context_length,
        "n_tasks": n_tasks,
        "n_pools": n_pools,
        "n_sequences": n_sequences,
    }
    table = discrimination.kl_from_truth(Urns(n_colors), seed=0, **options)
    for line, wanted in zip(table.to_dict("records"), stated, strict=True):
        assert line["n"] == n_pools and line["sem"] == pytest.approx(line["sd"] / n_pools**0.5)
        assert abs(line["mean"] - wanted) < 6 * line["sem"] + 0.0006, (
            line
        )  # and half of the last digit stated
    assert table["reference"].tolist() == 2 * ["generalizing", "memorizing", "symmetrized"]
    assert (table["mean"] - 0.5).abs().max() > 0.1  # a wrong figure is told from a right one
    out = table[table["split"] == "out_of_distribution"].set_index("reference")["mean"]
    assert out["memorizing"] > out["symmetrized"] > out["generalizing"]


def test_distances_between_predictors_shrink_with_the_pool_and_average_up_to_every_context_length():
    def found(n_tasks):
        return discrimination.pairwise_distances(
            Urns(4), context_length=32, n_tasks=n_tasks, n_pools=30, n_sequences=20, seed=0
        )

    one, four = (found(n_tasks).query("pair == 'd(G, S)'") for n_tasks in (1, 4))
    assert len(one) == 32 and set(one["n"]) == {30}
    assert one["mean_to"].to_numpy() == pytest.approx(one["mean"].expanding().mean().to_numpy())
    assert one["sem_to"].iloc[0] == pytest.approx(one["sem"].iloc[0])
    last = [table.iloc[-1] for table in (one, four)]
    assert 0.09 - 6 * last[0]["sem_to"] < last[0]["mean_to"] < 0.13 + 6 * last[0]["sem_to"]
    assert last[0]["mean_to"] > 3 * last[1]["mean_to"]


def test_a_context_length_is_the_beginning_of_a_longer_one():
    short, long = (
        discrimination.pairwise_distances(
            Urns(3), context_length=c, n_tasks=1, n_pools=200, n_sequences=4, seed=0
        ).set_index(["pair", "row"])
        for c in (5, 20)
    )
    difference = (short["mean_to"] - long["mean_to"]).dropna().abs()
    assert len(difference) == 15 and (difference < 6 * short["sem_to"]).all()


def test_the_headline_of_the_original_is_scored_alike_by_symmetrized_memorizing():
    """Published: lexical .14 ± .11, normal .54 ± .28; M, S and G score .625, .112 and .016."""
    urn = torch.tensor([0.4105, 0.3253, 0.0443, 0.2200], dtype=torch.float64)
    options = {"n_balls": 30, "n_sets": 40, "generator": generator(0, "headline")}
    table = discrimination.headline(urn / urn.sum(), **options).set_index("reference")
    stated = (
        ("memorizing", 0.625, 0.13, 0.47),
        ("symmetrized", 0.112, 0.03, 0.12),
        ("generalizing", 0.016, 0, 0.016),
    )
    for name, mean, of_sets, of_sequences in stated:
        line = table.loc[name]
        assert abs(line["mean"] - mean) < 6 * line["sem"] + 0.0005 and line["n"] == 40
        assert line["sd_sequences"] == pytest.approx(of_sequences, rel=0.15)
        assert line["sd"] == pytest.approx(of_sets, rel=0.5, abs=0.006)


def test_a_set_has_urns_of_its_own():
    """Means of sets with one urn each vary as urns do, however many sequences each has."""
    urn = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    options = {
        "n_balls": 20,
        "n_sets": 40,
        "n_urns": 1,
        "n_sequences": 50,
        "generator": generator(0, "sets"),
    }
    line = discrimination.headline(urn, **options).set_index("reference").loc["memorizing"]
    assert line["sd"] > 0.5 * line["sd_sequences"]
