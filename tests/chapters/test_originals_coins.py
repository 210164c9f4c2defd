"""Defects of coins and of token geometry: each shows in its own number, and is gone in ours."""

import itertools

import pytest
import torch

from lexurn import runs
from lexurn.base.seeding import generator
from lexurn.chapters.originals import (
    first_orders,
    missing_bos,
    negation,
    one_theta,
    padding,
    word_pieces,
)
from lexurn.generators.text import build_char_tokenizer
from lexurn.predictors import Generalizing
from lexurn.settings.resolver import check

COINS = {"n_colors": 2, "n_tasks": 0, "context_length": 10, "n_steps": 40, "eval_every": 20}


def test_one_coin_for_a_batch_is_worth_few_sequences():
    sizes = {"n_batches": 300, "length": 12, "seed": 0}
    (row,) = one_theta.effective_sizes([16], **sizes).itertuples()
    assert row.low < row.value < row.high < 6
    (single,) = one_theta.effective_sizes([1], **sizes).itertuples()
    assert single.low < 1 < single.high  # the control: a batch of one sequence has one coin anyway


def test_sequences_of_a_batch_share_their_coin_or_not():
    shares = {}
    for version in one_theta.VERSIONS:
        stream = generator(0, "flips")
        flips = one_theta.draw_flips(version, 40, 8, 200, generator=stream)
        shares[version] = flips.mean(-1).std(1).mean().item()  # between sequences of a batch
    published, ours = shares.values()
    assert published < 0.05 < 0.2 < ours


def test_laplaces_rule_is_the_optimum_and_noise_keeps_training_from_it():
    flips = one_theta.draw_flips(one_theta.VERSIONS[1], 1, 5000, 12, generator=generator(0, "x"))
    at = [
        one_theta.losses(torch.full((1, 2), value, dtype=torch.float64), flips).mean().item()
        for value in (-0.7, 0.0, 0.7)
    ]
    assert at[1] < min(at[0], at[2])
    table = one_theta.train(4, n_steps=100, batch_size=32, length=12, rate=4.0, seed=0)
    last = table[table["step"] == 100].groupby("version", sort=False)["excess"].mean()
    assert last.iloc[0] > 2 * last.iloc[1] and last.iloc[1] < table["excess"].max()


def test_the_first_orders_begin_alike_and_random_ones_do_not():
    tokens = [
        first_orders.orders(version, 12, 6, 100, generator=generator(0, "orders"))
        for version in first_orders.VERSIONS
    ]
    for sequences in tokens:
        assert (sequences.sum(1) == 6).all() and (sequences[:, -1] == 0).all()
    first = list(itertools.islice(itertools.combinations(range(12), 6), 100))
    assert tokens[0].nonzero()[:, 1].view(100, 6).tolist() == [list(places) for places in first]
    assert (tokens[0][:, :2] == 1).all() and not (tokens[1][:, :2] == 1).all()


def test_a_predictor_that_depends_on_order_passes_the_published_test_alone():
    asked = {"first": first_orders.FirstFlips(4), "counts": Generalizing(2)}
    pairs = first_orders.pairs(asked, 16, 8, 200, generator=generator(0, "pairs"))
    first, counts = pairs.itertuples()
    assert first.published < 1e-9 < 0.05 < first.corrected
    assert max(counts.published, counts.corrected) < 1e-12


def test_a_model_with_a_start_token_is_worse_without_it(tiny_run):
    run = tiny_run(COINS | {"learning_rate": 0.01})
    (pair,) = missing_bos.excesses([run], 200).itertuples()
    assert pair.published != pair.corrected
    with torch.no_grad():
        tokens = torch.zeros(1, 5, dtype=torch.int64)
        seen, unseen = run.model(tokens), missing_bos.without_bos(run.model)(tokens)
    is_close = torch.isclose(seen, unseen, atol=1e-6).all(-1)
    assert is_close[0].tolist() == [True, False, False, False, False]
    without = runs.get(COINS | {"n_steps": 2, "bos": False})
    with pytest.raises(ValueError, match="start token"):
        missing_bos.without_bos(without.model)


def test_negation_is_an_identity_and_exchanged_flips_are_not():
    pairs = negation.errors(2)
    assert pairs["published"].max() < 1e-6 < 0.01 < pairs["corrected"].min()


def test_padding_raises_the_mean_cosine_of_random_vectors_and_of_prompts():
    (pair,) = padding.isotropic(16, 48, 96, 0).itertuples()
    assert pair.published > 0.4 > 0.1 > abs(pair.corrected)
    (unfilled,) = padding.isotropic(16, 0, 96, 0).itertuples()
    assert unfilled.published == unfilled.corrected  # the control: nothing to fill
    settings = check({"n_colors": 64, "context_length": 32, "d_model": 64, "n_test_samples": 20})
    table = padding.cosines(settings, [8, 32]).query("layer == 0").set_index("length")
    assert table["published"][8] > table["corrected"][8] + 0.2
    assert table["published"][32] == pytest.approx(table["corrected"][32])


def test_filling_keeps_the_prompt():
    tokens = torch.arange(1, 13).view(2, 6)
    filled = padding.fill(tokens, [2, 6])
    assert filled.tolist() == [[1, 2, 0, 0, 0, 0], [7, 8, 9, 10, 11, 12]]


def test_looking_up_words_loses_spaces_and_symbols_and_pieces_do_not():
    texts = ["ab ba", "b → a", "b ∑ a"]
    tokenizer = build_char_tokenizer(texts)
    pieces = word_pieces.known_pieces(tokenizer)
    assert word_pieces.encode_words("ab ba", pieces | {"ab"}) == ["ab", "b", "a"]
    restored = word_pieces.restored(tokenizer, texts)
    assert restored["published"].sum() == 0 and restored["corrected"].min() == 1
    known = {"a", "b"}
    assert word_pieces.encode_words("b → a", known) == word_pieces.encode_words("b ∑ a", known)
    counts = word_pieces.piece_counts(tokenizer, texts)
    assert (counts["published"] <= counts["corrected"]).all()  # by letters, spaces count
    assert word_pieces.distinct_encodings(tokenizer, texts[1:])["corrected"].item() == 2
