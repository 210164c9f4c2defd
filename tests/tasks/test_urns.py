"""Urns: models may be judged on fresh urns of another prior than that of their training."""

import torch

from lexurn import tasks
from lexurn.settings.resolver import check

FLAT = {"n_test_samples": 5000, "context_length": 1, "n_colors": 3, "alpha": 2.0}
TEST_ALPHA = [0.2, 0.2, 0.2]


def share_of_equal_balls(tokens):
    return (tokens[:, 0] == tokens[:, 1]).double().mean().item()


def test_the_test_prior_is_the_prior_of_fresh_urns_alone():
    """Two balls of a fresh urn agree with probability (α + 1) / (V α + 1)."""
    same, other = (tasks.build(check(FLAT | more)) for more in ({}, {"test_alpha": TEST_ALPHA}))
    splits, changed = same.held_out(), other.held_out()
    for tokens, alpha in ((splits, 2.0), (changed, 0.2)):
        share = share_of_equal_balls(tokens["out_of_distribution"])
        assert abs(share - (alpha + 1) / (3 * alpha + 1)) < 6 * (0.25 / 5000) ** 0.5
    assert torch.equal(same.pool, other.pool)
    for name in ("in_distribution", "low_entropy"):
        assert torch.equal(splits[name], changed[name])
    assert torch.equal(same.validation(), other.validation())
    tokens = changed["out_of_distribution"][:20]
    before, after = (task.references()["generalizing"](tokens) for task in (same, other))
    assert torch.equal(before, after)  # G is an optimum of training
