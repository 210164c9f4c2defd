"""Languages as the task of runs: splits, what training sees, references, and whole runs."""

import itertools
from math import log

import pytest
import torch

from lexurn import evaluation, parameters, runs, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.rules.string_probs import string_entropy
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, string_lengths
from lexurn.predictors import Generalizing, Memorizing, RenamingMixture, Symmetrized
from lexurn.predictors.grammars import oracle
from lexurn.runs import fit
from lexurn.settings.resolver import check
from lexurn.tasks import language

TINY = {"d_model": 8, "n_steps": 6, "eval_every": 3, "n_test_samples": 20, "batch_size": 8}


def string_set(tokens):
    return {tuple(row) for row in tokens.tolist()}


def some_training(settings, n=2000):
    return tasks.build(settings).sample(
        n, settings.task.context_length + 1, generator=generator(0, "training", 0)
    )


def test_a_sequence_is_a_word_of_the_language_with_its_end():
    settings = check({"language": "dyck", "context_length": 16})
    tokens = some_training(settings)
    assert tokens.shape == (2000, 17) and LANGUAGES["dyck"].contains(tokens).all()
    assert (tokens == EOS).sum(-1).eq(1).all() and string_lengths(tokens).max() == 16
    assert torch.cat(
        list(itertools.islice(fit.training_batches(tasks.build(settings)), 3))
    ).shape == (96, 17)


def test_words_that_are_kept_from_training_are_never_in_it_and_the_splits_share_none():
    settings = check(
        {"language": "baN", "context_length": 12, "unseen": 0.3, "n_test_samples": 300}
    )
    trained, splits = string_set(some_training(settings, 20_000)), tasks.build(settings).held_out()
    chosen_on, never = string_set(tasks.build(settings).validation()), string_set(splits["unseen"])
    assert not trained & never and not trained & chosen_on and not chosen_on & never
    assert string_set(splits["in_distribution"]) & trained and len(never) > 50
    assert all(
        length >= language.MIN_HELD_LETTERS for length in string_lengths(splits["unseen"]).tolist()
    )
    without = check({"language": "baN", "context_length": 12, "n_test_samples": 300})
    assert tasks.build(without).held_out().keys() == {"in_distribution"}
    assert string_set(some_training(without, 20_000)) & never  # so it could have been


def canonical(tokens):
    """Words with their letters numbered as they first come."""
    found = set()
    for row in tokens.tolist():
        seen = {}
        found.add(
            tuple(
                seen.setdefault(token, len(seen)) if token >= FIRST_LETTER else -token
                for token in row
            )
        )
    return found


@pytest.mark.parametrize("nameless", [{"label_permuted": True}, {"lex": True}])
def test_without_names_a_word_is_kept_from_training_with_its_renamings(nameless):
    flat = {"language": "abN", "context_length": 12, "unseen": 0.3, "n_test_samples": 200}
    settings = check(flat | nameless)
    never = canonical(tasks.build(settings).held_out()["unseen"])
    assert not canonical(some_training(settings, 20_000)) & never
    plain = check(flat)  # where names count, the renaming of such a word may be trained on
    assert canonical(some_training(plain, 20_000)) & canonical(
        tasks.build(plain).held_out()["unseen"]
    )


def test_longer_words_are_longer_and_training_has_none():
    settings = check(
        {"language": "aNbN", "context_length": 20, "max_length": 10, "n_test_samples": 100}
    )
    splits = tasks.build(settings).held_out()
    assert splits["longer"].shape == splits["in_distribution"].shape == (100, 21)
    assert (
        string_lengths(splits["longer"]).min() == 12
        and string_lengths(splits["longer"]).max() == 20
    )
    assert string_lengths(some_training(settings)).max() == 10
    assert LANGUAGES["aNbN"].contains(splits["longer"]).all()


@pytest.mark.parametrize("completions", ["oracle", "adversarial"])
def test_a_tenth_of_training_are_prompts_completed_by_rule_1_or_against_it(completions):
    settings = check({"language": "aNbN", "context_length": 20, "completions": completions})
    tokens, anbn = some_training(settings), LANGUAGES["aNbN"]
    foreign = ~anbn.contains(tokens)
    assert foreign.double().mean() == pytest.approx(settings.task.completed_share)
    assert (anbn.obeys_rules(tokens[foreign])[:, 0] == (completions == "oracle")).all()
    trained, kept = (
        string_set(each) for each in split_prompts(prompts("aNbN")["out_of_distribution"])
    )
    used = string_set(tokens[foreign][:, :8])
    assert used <= trained and not used & kept and len(used) > 50
    assert (
        anbn.contains(tasks.build(settings).validation()).double().mean() < 1
    )  # chosen on the same mixture
    assert anbn.contains(tasks.build(settings).held_out()["in_distribution"]).all()
    places = foreign.nonzero()[:, 0].double()
    assert places.mean() == pytest.approx(
        1000, abs=6 * 2000 / 12**0.5 / len(places) ** 0.5
    )  # in no order


def completed(settings, n=4000):
    """The completed prompts among `n` training sequences."""
    tokens = some_training(settings, n)
    known = LANGUAGES[settings.task.language]
    return tokens[~known.contains(tokens)]


@pytest.mark.parametrize(
    ("name", "n_prompts", "share"), [("aNbN", 1, 0.02), ("aNbN", 30, 0.5), ("dyck", 10, 0.1)]
)
def test_so_many_prompts_are_completed_and_so_often(name, n_prompts, share):
    flat = {"language": name, "context_length": 20, "completions": "oracle"}
    settings = check(flat | {"n_completed": n_prompts, "completed_share": share, "seed": 3})
    tokens = completed(settings)
    given = prompts(name)["out_of_distribution"]
    used = string_set(tokens[:, : given.shape[1]])
    assert len(used) == n_prompts
    _, kept = split_prompts(given)
    assert not used & string_set(kept)
    assert abs(len(tokens) / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5
    assert (LANGUAGES[name].obeys_rules(tokens)[:, 0]).all()
    assert len(string_set(tokens)) > 3 * n_prompts  # completions are drawn anew
    whole = completed(check(flat))
    assert len(string_set(whole[:, : given.shape[1]])) > n_prompts  # the control


def test_fewer_completed_prompts_are_among_more_and_seeds_choose_others():
    given = prompts("aNbN")["out_of_distribution"]

    def chosen(n, seed=0):
        known, kept = split_prompts(given, n_completed=n, seed=seed)
        assert kept.equal(split_prompts(given)[1])  # held out whatever is trained on
        return string_set(known)

    for few, more in itertools.pairwise((1, 3, 10, 30, 125)):
        assert len(chosen(few)) == few and chosen(few) < chosen(more)
    assert chosen(125) == chosen(0) == chosen(125, seed=1) and chosen(10) != chosen(10, seed=1)


def test_how_many_prompts_are_completed_is_part_of_the_key_only_where_it_is_set():
    plain = check({"language": "aNbN", "completions": "oracle"})
    named = check(plain.flat() | {"n_completed": 0, "completed_share": 0.1})
    assert named.key == plain.key == "e84ef3cefb24"
    assert check(plain.flat() | {"n_completed": 125}).key != plain.key
    assert check(plain.flat() | {"completed_share": 0.2}).key != plain.key


def test_renaming_letters_makes_every_word_a_random_one_and_leaves_its_shape():
    settings = check({"language": "dyck", "context_length": 8, "label_permuted": True})
    plain = check({"language": "dyck", "context_length": 8})
    renamed, names = some_training(settings), some_training(plain)
    assert (renamed[names < FIRST_LETTER] == names[names < FIRST_LETTER]).all()
    first = renamed[:, 0].bincount(minlength=7)[FIRST_LETTER:] / 2000
    assert (first - 0.25).abs().max() < 5 * (0.25 * 0.75 / 2000) ** 0.5
    assert (names[:, 0] % 2 == 1).all()  # an opening, before
    same = names[:, :, None] == names[:, None]
    assert ((renamed[:, :, None] == renamed[:, None]) == same).all()


def test_the_best_that_can_be_done_without_names_is_the_mixture_over_them():
    """For aNbN the first letter costs ln 2 more, which reveals the names. For urns it is S."""
    exact = oracle("aNbN", max_length=12)
    mixed = RenamingMixture(exact, n_permuted=2, n_special=FIRST_LETTER)
    tokens = LANGUAGES["aNbN"].sample(200, max_length=12, generator=generator(0, "words"))
    for given in (
        tokens,
        torch.where(tokens >= FIRST_LETTER, 2 * FIRST_LETTER + 1 - tokens, tokens),
    ):
        lost = -mixed(given).gather(-1, given[..., None])[..., 0]
        assert torch.allclose(lost[:, 0], torch.full((200,), log(2), dtype=torch.float64))
        known = -exact(tokens).gather(-1, tokens[..., None])[..., 0]
        assert torch.allclose(lost[:, 1:], known[:, 1:])
    found = mixed(tokens)
    assert torch.allclose(found.exp().sum(-1), torch.ones(found.shape[:2], dtype=torch.float64))
    strange = LANGUAGES["aNbN"].encode(["aba", "abba"], length=13)
    assert torch.allclose(
        mixed(strange)[:, 3, [EOS, 3, 4]].exp(), torch.full((2, 3), 1 / 3, dtype=torch.float64)
    )
    pool = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64)
    balls = torch.randint(3, (20, 9), generator=generator(1, "balls"))

    def each(urn):
        return RenamingMixture(Memorizing(pool[urn : urn + 1]), n_permuted=3)

    single = Symmetrized(pool[:1])
    assert torch.allclose(each(0)(balls), single(balls)) and not torch.allclose(
        each(1)(balls), single(balls)
    )
    assert torch.allclose(
        RenamingMixture(Memorizing(pool), n_permuted=3)(balls), Symmetrized(pool)(balls)
    )
    assert torch.allclose(
        RenamingMixture(Generalizing(3), n_permuted=3)(balls), Generalizing(3)(balls)
    )
    with pytest.raises(ValueError, match="n_permuted must be at most 5, .* got 6"):
        RenamingMixture(Generalizing(6), n_permuted=6)


@pytest.mark.parametrize(
    ("flat", "optimum"),
    [
        ({}, "oracle"),
        ({"lex": True}, "relabelled"),
        ({"label_permuted": True, "backbone": "lstm"}, "relabelled"),
    ],
)
def test_a_run_on_words_is_trained_evaluated_and_found_again(flat, optimum, monkeypatch, tmp_path):
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path))
    run = runs.get(TINY | {"language": "dyck", "context_length": 12, "n_checkpoints": 2} | flat)
    assert run.path.name.startswith(f"dyck-C12-{run.settings.kind}-") and run.pool is None
    assert (
        runs.load(run.path.name).results.equals(run.results)
        and tasks.build(run.settings).optimum == optimum
    )
    table = evaluation.select(run.results, split="in_distribution", measure="regret")
    loss = evaluation.select(run.results, split="in_distribution", measure="loss").loc["", "mean"]
    tokens = run.splits["in_distribution"]
    by_hand = -run.predictor(tokens).gather(-1, tokens[..., None])[..., 0].sum(-1).mean().item()
    assert 13 * loss == pytest.approx(by_hand)
    assert table.loc["oracle", "mean"] > table.loc["relabelled", "mean"]
    assert (
        "in_distribution/regret/oracle" in run.metrics
        and run.metrics["train_loss"].notna().sum() == 2
    )
    shown = evaluation.summary(run.results, measure=run.task.measure)
    assert run.task.measure == "regret" and list(shown) == ["oracle", "relabelled"]
    line = runs.table(language="dyck").iloc[0]
    assert line["language"] == "dyck" and line[["n_colors", "d_generalizing"]].isna().all()
    assert runs.table(language="aNbN").empty and runs.table(n_colors=4).empty
    assert [step for step, _ in run.checkpoints()] == [6]


def test_an_oracle_as_the_model_has_no_excess():
    settings = check({"language": "baN", "context_length": 16, "n_test_samples": 400})
    splits, references = tasks.build(settings).held_out(), tasks.build(settings).references()
    table = evaluation.evaluate(oracle("baN", max_length=16), references, splits, first_row=0)
    regret = evaluation.select(table, split="in_distribution", measure="regret")
    assert regret.loc["oracle", "mean"] == 0 and regret.loc["relabelled", "mean"] < -0.01
    loss = evaluation.select(table, split="in_distribution", measure="loss").loc[""]
    per_word, _ = string_entropy(oracle("baN", max_length=16))
    assert abs(17 * loss["mean"] - per_word) < 4 * 17 * loss["sem"]
    other = evaluation.evaluate(oracle("baN", max_length=20), references, splits, first_row=0)
    assert (
        evaluation.select(other, split="in_distribution", measure="regret").loc["oracle", "mean"]
        > 1e-4
    )


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        (
            {"language": "aNbN", "context_length": 1},
            "aNbN has no string of at most 1 letters; use context_length 2",
        ),
        (
            {"language": "aNbM", "max_length": 3},
            "aNbM has no string of at most 3 letters; use max_length 4 or more",
        ),
        (
            {"language": "aNbN", "context_length": 8, "unseen": 0.1},
            "strings of aNbN with at most 8 letters only 0 are for validation, and 50 are needed, "
            "with unseen=0.1; change unseen",
        ),
        (
            {"language": "aNbN", "context_length": 6, "unseen": 0.99},
            "letters only 0 are for validation",
        ),
        (
            {"language": "abN", "completions": "oracle"},
            "abN has no prompts, because prompts break one of two rules; use a language with two",
        ),
        (
            {"language": "bbaN", "completions": "oracle", "n_completed": 4},
            "n_completed must be at most 3, half of the 6 prompts that begin no string of bbaN, "
            "got 4; use 0",
        ),
        (
            {"language": "aNbN", "n_completed": 3},
            "n_completed counts only with completions, got n_completed=3 and completions=none",
        ),
        (
            {"language": "aNbN", "completed_share": 0.2},
            "completed_share counts only with completions, got completed_share=0.2",
        ),
        (
            {"language": "aNbN", "completions": "oracle", "completed_share": 1.0},
            "must be a finite number at least 0.001 and less than 1, got 1.0",
        ),
        (
            {"language": "aNbN", "context_length": 8, "completions": "oracle"},
            "completions=oracle needs strings longer than the prompts' 8 letters, got at most 8; "
            "raise context_length",
        ),
    ],
)
def test_what_cannot_be_trained_on_stops_before_it_is_begun(flat, message, monkeypatch, tmp_path):
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path))
    with pytest.raises(parameters.ParameterError) as caught:
        runs.get(TINY | flat)
    assert message in str(caught.value) and not list(tmp_path.iterdir())


def test_a_training_split_that_would_be_empty_is_refused():
    settings = check({"language": "aNbM", "context_length": 12, "unseen": 0.99})
    with pytest.raises(
        parameters.ParameterError,
        match="only 0 are for in distribution, and 50 are needed, with unseen=0.99",
    ):
        tasks.build(settings)
    assert PAD == 2
