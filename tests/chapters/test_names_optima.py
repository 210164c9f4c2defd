"""The optima of the dials between learned embeddings and lexical ones, by enumeration."""

import itertools
from math import prod

import pytest
import torch
from torch.testing import assert_close

from lexurn.base.seeding import generator
from lexurn.chapters.names import optima
from lexurn.generators.urns import Urns
from lexurn.predictors import Memorizing, RenamingMixture, SequenceMixture, Symmetrized

POOL = Urns(3).sample_tasks(2, generator=generator(0, "urns"))


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


def every_table(names):
    """All assignments of these names to the three colours."""
    return torch.tensor(list(itertools.permutations(names, 3)))


@pytest.mark.parametrize("n_names", [3, 4])
def test_the_optimum_with_redrawn_tables_by_enumeration(n_names):
    """A sequence has the fixed table, or with probability `redraw` any table of one-hot names."""
    fixed, redraw = torch.tensor([[1, 2, 0]]), 0.3
    by_table = [(1 - redraw, fixed), (redraw, every_table(range(n_names)))]

    def joint(names):
        total = 0.0
        for weight, tables in by_table:
            for table, urn in itertools.product(tables.tolist(), POOL.tolist()):
                theta = dict(zip(table, urn, strict=True))
                factors = [theta.get(name, 0.0) for name in names.tolist()]
                total += weight * prod(factors) / (len(tables) * len(POOL))
        return total

    m, s = (optima.shared_tables(POOL, tables, n_names=n_names) for _, tables in by_table)
    if n_names == 3:  # one alphabet: the second part is S
        assert_close(s(fixed), Symmetrized(POOL)(fixed))
        s = Symmetrized(POOL)
    check_against_enumeration(SequenceMixture([m, s], [1 - redraw, redraw]), joint, n_names)
    with pytest.raises(AssertionError):  # the planted fault: a blend of rows with fixed weights
        blend = lambda tokens: ((1 - redraw) * m(tokens).exp() + redraw * s(tokens).exp()).log()  # noqa: E731
        check_against_enumeration(blend, joint, n_names)


def test_where_tables_share_no_vectors_the_first_token_tells_the_table():
    """Then the optimum is M for shared tables, and S for redrawn ones, from row 1 on."""
    tables, new = torch.tensor([[0, 1, 2], [5, 3, 4]]), every_table([6, 7, 8])
    parts = [optima.shared_tables(POOL, each, n_names=9) for each in (tables, new)]
    optimum = SequenceMixture(parts, [0.9, 0.1])
    tokens = torch.tensor(list(itertools.product(range(3), repeat=4)))

    def predict_with(predictor, table):
        return predictor(table[tokens])[:, 1:, table]

    m, s = (predictor(tokens)[:, 1:] for predictor in (Memorizing(POOL), Symmetrized(POOL)))
    for table in tables:
        assert_close(predict_with(optimum, table), m)
    assert_close(predict_with(optimum, new[4]), s)
    shared = optima.shared_tables(POOL, torch.tensor([[0, 1, 2], [2, 0, 3]]), n_names=4)
    with pytest.raises(AssertionError):  # the control: one-hot tables that share names
        assert_close(predict_with(shared, torch.tensor([0, 1, 2])), m)


def test_the_optimum_with_a_named_colour_by_enumeration():
    """Colour 0 keeps its name; the others exchange theirs."""

    def joint(names):
        total = 0.0
        for order, urn in itertools.product(([0, 1, 2], [0, 2, 1]), POOL):
            total += urn[torch.tensor(order)][names].prod().item() / (2 * len(POOL))
        return total

    mixture = RenamingMixture(Memorizing(POOL), n_permuted=2, n_special=1)
    check_against_enumeration(mixture, joint, 3)
    for other in (Memorizing(POOL), Symmetrized(POOL)):  # the controls: all names, and none
        with pytest.raises(AssertionError):
            check_against_enumeration(other, joint, 3)


def test_a_predictor_that_knows_all_tables_is_m_for_one_table_and_falls_behind_with_many():
    urn = POOL[:1]
    tokens = torch.multinomial(urn.repeat(200, 1), 12, True, generator=generator(0, "balls"))

    def position(n_tables):
        stream = generator(1, "tables")
        return optima.position(urn, tokens, n_tables=n_tables, n_names=9, stream=stream)

    assert position(1) == pytest.approx(1)
    few, many = position(4), position(400)
    assert 1 > few > many + 0.2 and many > -1.5
