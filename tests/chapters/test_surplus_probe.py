"""Probes and steering of the surplus: what can be read, what is changed, and the controls."""

import pytest
import torch
from torch.testing import assert_close

from lexurn import runs
from lexurn.base.seeding import generator
from lexurn.chapters.rules import steering
from lexurn.chapters.rules.surplus_probe import Prefixes, feature_directions, probe_scores
from lexurn.models import activations

FLAT = {"language": "aNbN", "context_length": 16, "d_model": 16, "n_steps": 60, "eval_every": 60}
FLAT |= {"n_test_samples": 60, "positions": "rotary", "n_layers": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield runs.get(FLAT)


def test_a_prefix_is_read_at_the_row_that_has_seen_it(run):
    prefixes = Prefixes.of(run.model)
    n_b = (prefixes.tokens == 4).cumsum(1)
    n_a = (prefixes.tokens == 3).cumsum(1)
    before = prefixes.rows - 1
    counted = (n_a - n_b)[prefixes.sequences, before]
    assert counted.tolist() == prefixes.table["surplus"].tolist()
    assert (prefixes.tokens[prefixes.sequences, before] == 4).all()
    assert (prefixes.table["surplus"] >= 0).all()
    pairs = [(n, m) for n in range(1, 13) for m in range(1, n + 1) if n <= 8 or n + m <= 12]
    assert prefixes.table["begins_string"].sum() == len(pairs)  # a^n b^m, read in either way


def plant(monkeypatch, directions):
    """Let activations be a sum of surplus and letters, each times a direction of its own."""

    def read(model, tokens, *names, table=None):
        n_a, n_b = ((tokens == letter).cumsum(1) for letter in (3, 4))
        counts = torch.stack([n_a - n_b, n_a + n_b], -1).double()
        seen = torch.nn.functional.pad(counts[:, :-1], (0, 0, 1, 0))
        return {name: seen @ directions for name in names}

    monkeypatch.setattr(activations, "read", read)


def test_a_planted_direction_is_found_and_read_whatever_the_order(run, monkeypatch):
    directions = torch.randn(2, 16, generator=generator(0, "plant"), dtype=torch.float64)
    plant(monkeypatch, directions)
    of_features = feature_directions(run.model, "0.resid_mid")
    assert_close(of_features["surplus"], directions[0])
    assert_close(of_features["letters"], directions[1])
    scores = probe_scores(run).set_index(["weights", "site", "target"])["value"]
    assert scores["trained", "0.resid_mid", "surplus"] > 0.99
    assert scores["trained", "0.resid_mid", "letters"] > 0.99
    assert scores["trained", "0.resid_mid", "random"] < 0.05
    plant(monkeypatch, torch.zeros_like(directions))  # nothing is there to be read
    scores = probe_scores(run).set_index(["weights", "site", "target"])["value"]
    assert scores["trained", "0.resid_mid", "surplus"] < 0.05


def test_the_random_direction_has_the_norm_of_the_surplus(run):
    site = steering.steering_site(run.model)
    assert site == "0.resid_mid"
    both = steering.directions(run.model, site)
    assert_close(both["surplus"].norm(), both["random"].norm())
    assert both["surplus"] @ both["random"] < 0.9 * both["surplus"].norm() ** 2


def test_a_model_that_counts_ends_where_it_is_steered_to(run, monkeypatch):
    """A stand-in for the model ends after a b whose surplus, as steered, is 0 or less."""

    def intervene(model, tokens, interventions, *, table=None):
        n_a, n_b = ((tokens == letter).cumsum(1) for letter in (3, 4))
        surplus = torch.nn.functional.pad((n_a - n_b)[:, :-1], (1, 0)).double()
        hidden = surplus[..., None] * torch.tensor([1.0, 0.0])
        for change in interventions.values():
            hidden = change(hidden)
        chosen = torch.where(hidden[..., 0] <= 0.5, 1, 4)
        return torch.nn.functional.one_hot(chosen, 5).double().log()

    monkeypatch.setattr(activations, "intervene", intervene)
    axes = {"surplus": torch.tensor([1.0, 0.0]), "random": torch.tensor([0.0, 1.0])}
    monkeypatch.setattr(steering, "directions", lambda model, site: axes)
    table = steering.steered_endings(run)
    assert (table[table["direction"] == "surplus"]["value"] == 1).all()
    assert (table[table["direction"] == "random"]["value"] == 0).all()
    assert set(table["prompts"]) == {"in_distribution", "out_of_distribution"}


def test_controls_of_steering_are_right_only_by_chance(run, monkeypatch):
    """The stand-in ends after a b whose surplus, in one of 64 coordinates, is 0 or less."""
    axis, another = torch.eye(64, dtype=torch.float64)[:2]

    def intervene(model, tokens, interventions, *, table=None):
        n_a, n_b = ((tokens == letter).cumsum(1) for letter in (3, 4))
        surplus = torch.nn.functional.pad((n_a - n_b)[:, :-1], (1, 0)).double()
        hidden = surplus[..., None] * axis
        for change in interventions.values():
            hidden = change(hidden)
        chosen = torch.where(hidden[..., 0] <= 0.5, 1, 4)
        return torch.nn.functional.one_hot(chosen, 5).double().log()

    monkeypatch.setattr(activations, "intervene", intervene)
    axes = {"surplus": axis, "letters": another}
    monkeypatch.setattr(steering, "feature_directions", lambda model, site: axes)
    value = steering.steering_controls(run).set_index("what")["value"]
    surpluses = [string.count("a") - string.count("b") for string in steering.outside_prompts()]
    n = len(surpluses)
    same = sum(x == y for x in surpluses for y in surpluses) - n
    assert value["surplus"] == 1 and value["random directions"] < 0.1
    assert value["number of letters"] == 0
    assert value["other prompts"] == pytest.approx(same / (n * (n - 1)))  # ends of equal surplus


def test_flattening_removes_one_coordinate_and_nothing_without_a_direction(run, monkeypatch):
    table = steering.flattened_endings(run).set_index(["prompts", "direction", "caught_up"])
    prefixes = Prefixes.of(run.model)
    eos = prefixes.pick(activations.intervene(run.model, prefixes.tokens, {}))[:, 1].exp()
    is_inside = torch.tensor(prefixes.table["begins_string"].tolist())
    is_caught_up = torch.tensor((prefixes.table["surplus"] == 0).tolist())
    expected = eos[is_inside & is_caught_up].mean().item()
    assert table.loc[("in_distribution", "none", True), "value"] == pytest.approx(expected)
    changes = {}
    intervene = activations.intervene

    def record(model, tokens, interventions, **options):
        changes.update(interventions)
        return intervene(model, tokens, interventions, **options)

    monkeypatch.setattr(activations, "intervene", record)
    direction = torch.eye(16, dtype=torch.float64)[3]
    monkeypatch.setattr(steering, "directions", lambda model, site: {"surplus": direction})
    assert len(steering.flattened_endings(run)) == 2 * 4
    site = steering.steering_site(run.model)
    before = activations.read(run.model, prefixes.tokens, site)[site]
    after = prefixes.pick(changes[site](before))
    assert_close(after[:, 3], after[0, 3].expand(len(after)))
    assert_close(after[:, 4:], prefixes.pick(before)[:, 4:])
