"""Names and alphabets: which vectors a sequence's embeddings come from, and nothing else leaks.

Planted faults must be found.
"""

import itertools
from collections import Counter

import pytest
import torch
from torch.testing import assert_close

from lexurn import models
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.models import names
from lexurn.models.language_model import load_weights
from lexurn.predictors import Memorizing, RenamingMixture
from lexurn.settings.resolver import check

CHOICES = {
    "any of 9": {"n_names": 9},
    "five sets": {"n_names": 9, "n_alphabets": 5},
    "groups": {"n_names": 13, "alphabets": "groups"},
    "design": {"n_names": 16, "alphabets": "design", "n_alphabets": 7},
    "blocks": {"n_names": 12, "alphabets": "blocks", "n_alphabets": 30},
    "unit": {"n_names": 40, "name_vectors": "unit", "n_alphabets": 3},
    "learned": {"n_names": 40, "name_vectors": "learned"},
    "two tables": {"n_names": 9, "n_tables": 2},
    "two tables, redrawn": {"lex": True, "n_tables": 2, "redraw": 0.5},
    "Gaussian tables": {"lex": True, "vocabulary": "gaussian_scaled", "n_tables": 3},
    "one named": {"lex": True, "n_named": 1},
    "canonical": {"vocabulary": "canonical"},
    "equivariant": {"lex": True, "d_model": 4, "backbone": "equivariant"},
    "bag": {"lex": True, "backbone": "bag"},
}
INVARIANT = [name for name in CHOICES if "table" not in name and name != "one named"]


def build(seed=0, **flat):
    flat = {"context_length": 11, "d_model": 16, "n_colors": 4} | flat
    return models.build(check(flat), generator=generator(seed, "weights")).eval()


def some_tokens(n=64, n_colors=4):
    return torch.randint(n_colors, (n, 12), generator=generator(3, "tokens"))


def names_of(model, table):
    """The name of each symbol (batch symbols)."""
    return table.argmax(-1)


@pytest.mark.parametrize("choice", ["five sets", "groups", "design", "blocks", "unit"])
def test_no_sequence_leaves_its_alphabet(choice):
    vocabulary = build(**CHOICES[choice]).vocabulary
    table = vocabulary.draw(3000, generator=generator(1, "tables"))
    drawn = {tuple(sorted(row)) for row in names_of(None, table).tolist()}
    known = {tuple(sorted(row)) for row in vocabulary.alphabets.tolist()}
    assert drawn == known and len(known) == vocabulary.n_alphabets
    new = vocabulary.draw_new(3000, generator=generator(1, "tables"))
    assert not known & {tuple(sorted(row)) for row in names_of(None, new).tolist()}


def test_blocks_are_all_sets_within_equal_blocks():
    sets = build(**CHOICES["blocks"]).vocabulary.alphabets
    assert len(sets.unique(dim=0)) == 30 and (sets // 6 == sets[:, :1] // 6).all()
    others = build(n_names=12, n_alphabets=30).vocabulary.alphabets  # the control: random sets
    assert not (others // 6 == others[:, :1] // 6).all()


def test_assignments_within_an_alphabet_are_uniform():
    vocabulary = build(n_names=9, n_alphabets=2).vocabulary
    table = vocabulary.draw(48_000, generator=generator(1, "tables"))
    counts = Counter(map(tuple, names_of(None, table).tolist()))
    assert len(counts) == 2 * 24
    assert max(abs(count - 1000) for count in counts.values()) < 5 * 1000**0.5


def test_all_sets_of_names_are_one_hot_tables():
    one_hot, named = build(lex=True), build(vocabulary="names")
    first = one_hot.vocabulary.draw(50, generator=generator(2, "tables"))
    assert_close(first, named.vocabulary.draw(50, generator=generator(2, "tables")))
    load_weights(named, one_hot.state_dict())
    tokens = some_tokens(50)
    assert_close(one_hot(tokens, table=first), named(tokens, table=first))


def test_as_many_learned_names_as_tokens_are_label_permuted_training():
    """The law of (input vectors, loss) is that of learned embeddings and renamed sequences."""
    named = build(n_names=4, name_vectors="learned")
    learned = build()
    learned.vocabulary.embedding.data = named.vocabulary.names.data.clone()
    for part in ("start", "positions"):
        getattr(learned, part).data = getattr(named, part).data.clone()
    learned.backbone.load_state_dict(named.backbone.state_dict())
    tokens = some_tokens()
    table = named.vocabulary.draw(len(tokens), generator=generator(1, "tables"))
    renamed = names_of(named, table).gather(1, tokens)
    expected = learned(renamed).gather(-1, renamed[..., None])
    assert_close(named(tokens, table=table).gather(-1, tokens[..., None]), expected)


@pytest.mark.parametrize("n_colors", [2, 3, 4, 5, 7])
def test_every_pair_of_names_lies_on_one_line(n_colors):
    points = n_colors**2
    sets = names.lines(points, n_colors, points + n_colors, generator(0, "lines"))
    pairs = Counter(
        pair for line in sets.tolist() for pair in itertools.combinations(sorted(line), 2)
    )
    assert len(pairs) == points * (points - 1) // 2 and set(pairs.values()) == {1}


def test_random_sets_are_different_and_depend_on_the_seed():
    sets = names.random_sets(8, 4, 70, generator(0, "sets")).tolist()
    assert len(set(map(tuple, sets))) == 70
    assert sets != names.random_sets(8, 4, 70, generator(1, "sets")).tolist()


def test_fresh_unit_vectors_have_norm_one_and_alphabets_are_stored_with_the_weights():
    model = build(n_names=40, name_vectors="unit", n_alphabets=3)
    assert_close(model.vocabulary.names.norm(dim=-1), torch.ones(40))
    other = build(1, n_names=40, name_vectors="unit", n_alphabets=3)
    assert not torch.equal(model.vocabulary.alphabets, other.vocabulary.alphabets)
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.vocabulary.alphabets, other.vocabulary.alphabets)


@pytest.mark.parametrize("family", ["gaussian", "gaussian_scaled", "orthonormal"])
def test_without_a_fixed_set_of_names_no_vector_comes_twice(family):
    def count_vectors(**flat):
        vocabulary = build(**flat).vocabulary
        tokens = torch.arange(4).expand(3000, -1)
        vectors = vocabulary.embed(tokens, vocabulary.draw(3000, generator=generator(1, "tables")))
        return len(vectors.detach().flatten(0, 1).unique(dim=0))

    assert count_vectors(lex=True, vocabulary=family) == 4 * 3000
    assert count_vectors(n_names=40, name_vectors="unit") == 40  # the control: names come again


@pytest.mark.parametrize("choice", [name for name in CHOICES if name != "canonical"])
def test_row_by_row_is_all_at_once(choice):
    model, tokens = build(**CHOICES[choice]), some_tokens(8)
    table = model.vocabulary.draw(8, generator=generator(1, "tables"))

    def predict_by_row(row_of_loss=None):
        state, rows = {}, []
        for row in range(12):
            state = {} if row == row_of_loss else state
            before = tokens[:, max(row - 1, 0)][:, None]
            rows.append(model.step(before, row, state, table=table))
        return torch.cat(rows, 1)

    assert_close(predict_by_row(), model(tokens, table=table))
    assert not torch.allclose(predict_by_row(6), model(tokens, table=table))  # a state that is lost


@pytest.mark.parametrize("choice", CHOICES)
def test_rows_see_only_the_past(choice):
    model = build(**CHOICES[choice])
    tokens = some_tokens(8)
    table = model.vocabulary.draw(8, generator=generator(1, "tables"))
    later = tokens.clone()
    later[:, 6:] = (later[:, 6:] + 1) % 4
    before, after = model(tokens, table=table), model(later, table=table)
    assert_close(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("choice", INVARIANT)
def test_renaming_tokens_and_their_rows_renames_the_prediction(choice):
    model = build(**CHOICES[choice])
    tokens = some_tokens(20)
    order = torch.tensor([2, 0, 3, 1])
    table = model.vocabulary.draw(20, generator=generator(1, "tables"))
    renamed_table = table
    if model.vocabulary.is_random:
        renamed_table = torch.empty_like(table)
        renamed_table[:, order] = table
    expected = model(tokens, table=table)
    assert_close(model(order[tokens], table=renamed_table)[..., order], expected)


@pytest.mark.parametrize("choice", ["equivariant", "canonical"])
def test_some_models_are_invariant_whatever_the_table(choice):
    model = build(**CHOICES[choice])
    tokens = some_tokens(20)
    order = torch.tensor([2, 0, 3, 1])
    first, second = (
        model(each, generator=generator(seed, "tables"))
        for seed, each in enumerate((tokens, order[tokens]))
    )
    assert_close(first, second[..., order])
    ordinary = build()  # the planted fault: learned embeddings are not
    assert not torch.allclose(ordinary(tokens), ordinary(order[tokens])[..., order])


def test_canonical_renaming_shares_the_probability_of_a_new_token_equally():
    model = build(vocabulary="canonical")
    tokens = torch.tensor([[1, 1, 3, 0, 2, 2, 1, 0, 0, 3, 2, 1]])
    log_probs = model(tokens)
    assert_close(log_probs.exp().sum(-1), torch.ones(1, 12))
    for row, unseen in enumerate([[0, 1, 2, 3], [0, 2, 3], [0, 2, 3], [0, 2], [2]]):
        assert_close(log_probs[0, row, unseen], log_probs[0, row, unseen[:1]].expand(len(unseen)))
    assert log_probs[0, 5].exp().std() > 1e-4  # all seen: no two need be equal


def test_tables_that_sequences_share_are_the_only_ones():
    vocabulary = build(lex=True, vocabulary="gaussian_scaled", n_tables=3).vocabulary
    drawn = vocabulary.draw(500, generator=generator(1, "tables"))
    assert len({tuple(table.flatten().tolist()) for table in drawn}) == 3
    fresh = vocabulary.draw_new(500, generator=generator(1, "tables"))
    assert len({tuple(table.flatten().tolist()) for table in fresh}) == 500


def test_the_share_of_redrawn_tables():
    vocabulary = build(lex=True, vocabulary="gaussian_scaled", n_tables=1, redraw=0.3).vocabulary
    drawn = vocabulary.draw(4000, generator=generator(1, "tables"))
    share = (drawn != vocabulary.tables).any(-1).any(-1).double().mean().item()
    assert share == pytest.approx(0.3, abs=5 * (0.21 / 4000) ** 0.5)


def test_named_tokens_keep_their_embeddings():
    vocabulary = build(lex=True, n_named=1).vocabulary
    tables = vocabulary.draw(100, generator=generator(1, "tables"))
    rows = vocabulary.embed(torch.tensor([[0, 1]]).expand(100, -1), tables)
    assert (rows[:, 0] == rows[0, 0]).all() and len(set(rows[:, 1].argmax(-1).tolist())) > 5


def test_the_optimum_with_named_tokens_is_the_mixture_over_the_other_names():
    """Brute force: the pool under all renamings that leave the named colour alone."""
    urns = torch.tensor([[0.6, 0.2, 0.15, 0.05]], dtype=torch.float64)
    orders = [[0, *order] for order in itertools.permutations([1, 2, 3])]
    tokens = some_tokens(10)
    mixture = RenamingMixture(Memorizing(urns), n_permuted=3, n_special=1)
    assert_close(mixture(tokens), Memorizing(urns[0][torch.tensor(orders)])(tokens))


def test_weights_of_another_vocabulary_are_taken_without_it():
    origin = build(lex=True)
    target = build(1)
    own = target.vocabulary.embedding.clone()
    load_weights(target, origin.state_dict())
    assert torch.equal(target.vocabulary.embedding, own)
    assert torch.equal(target.start, origin.start)
    load_weights(target, build(2).state_dict())  # the same vocabulary: all weights are taken
    assert torch.equal(target.vocabulary.embedding, build(2).vocabulary.embedding)
    with pytest.raises(RuntimeError, match="size mismatch"):  # another backbone is another model
        load_weights(target, build(d_model=24).state_dict())


@pytest.mark.parametrize(
    "flat, message",
    [
        ({"n_names": 3}, "n_names must be at least the number of tokens, 4, got 3"),
        ({"n_names": 64}, "at most d_model=32 for one_hot vectors, got 64"),
        ({"n_names": 12, "alphabets": "design"}, "got V=4 tokens and n_names=12"),
        ({"n_names": 12, "alphabets": "blocks", "n_alphabets": 31}, "use one of 3, 30, 495"),
        ({"n_names": 8, "n_alphabets": 71}, "n_alphabets must be at most 70"),
        ({"n_names": 8, "alphabets": "groups", "n_alphabets": 3}, "at most 2 for alphabets=groups"),
        ({"n_names": 8, "lex": False}, "got vocabulary=names and lex=False"),
        ({"n_tables": 2}, "n_tables and n_named count only with lex True"),
        ({"lex": True, "redraw": 0.5}, "redraw counts only with n_tables"),
        ({"lex": True, "n_named": 4}, "n_named must be less than the number of tokens, 4"),
        ({"vocabulary": "canonical", "n_tables": 2}, "belong to random tables"),
        ({"test_alpha": [1, 2]}, "test_alpha must be n_colors=4 numbers, got 2"),
    ],
)
def test_settings_that_cannot_be_are_refused(flat, message):
    with pytest.raises((ParameterError, ValueError), match=message):
        check(flat)
