"""Text: corpora, tokenizers, token arrays, n-grams, perplexity; WikiText-2 if it is available."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_settings import TEXT

from lexurn import runs, tasks
from lexurn.base import files, paths
from lexurn.base.seeding import generator
from lexurn.chapters.geometry import token_geometry
from lexurn.chapters.train import one_run
from lexurn.generators import corpora, text
from lexurn.measures import perplexity
from lexurn.predictors import Uniform
from lexurn.predictors.counting import STRENGTHS, Bigram, Unigram
from lexurn.runs import cache, fit
from lexurn.settings import Settings, TextSettings
from lexurn.settings.resolver import ParameterError, check

DATA = os.environ.get("LEXURN_TEST_DATA")
"""A folder with `wikitext-2/{valid,test}.txt`, `gpt2-bpe/encoder.json` and `gpt2-bpe/vocab.bpe`."""

needs_data = pytest.mark.skipif(not DATA, reason="LEXURN_TEST_DATA names no folder with test data")


@pytest.fixture(autouse=True)
def clear_caches():
    corpora.read.cache_clear()
    text.load.cache_clear()


def folder(path, **texts):
    path.mkdir(exist_ok=True)
    for name, content in texts.items():
        (path / f"{name}.txt").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
    return str(path)


def test_the_plays_ship_with_their_source():
    sizes = {split: len(corpora.read("plays", split).encode()) for split in corpora.SPLITS}
    assert 0.5e6 < sum(sizes.values()) < 1e6 and min(sizes.values()) > 1e5
    assert "public domain" in (corpora.folder("plays") / "SOURCE.txt").read_text()
    held_out = {corpora.read("plays", split)[10_000:10_200] for split in ("valid", "test")}
    assert all(part not in corpora.read("plays", "train") for part in held_out)


@pytest.mark.parametrize("task", [TextSettings(n_tokens=400), TextSettings(tokenizer="char")])
def test_text_comes_back_from_its_tokens(task):
    loaded = text.load(task)
    for split in corpora.SPLITS:
        tokens, whole = loaded.tokens(split), corpora.read("plays", split)
        assert (
            isinstance(tokens, np.memmap)
            and not tokens.flags.writeable
            and tokens.dtype == np.uint16
        )
        assert loaded.tokenizer.decode(tokens) == whole
        assert loaded.tokenizer.n_bytes[tokens].sum() == len(whole.encode())
    assert len(loaded.tokenizer.pieces) == tasks.build(Settings(task=task)).vocab_size
    assert task.vocab_size in (None, len(loaded.tokenizer.pieces))
    assert len(set(loaded.tokenizer.pieces)) == len(loaded.tokenizer.pieces)


def test_a_byte_pair_encoding_is_learned_from_its_text_alone_and_again_the_same():
    one, again = (text.train_bpe("to be or not to be, " * 50, 262) for _ in range(2))
    other = text.train_bpe("all the world's a stage, " * 50, 262)
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert max(map(len, one.pieces)) > 1 and len(one.encode("to be or")) < 8
    for foreign in ("été", "日本", "\x00\n "):
        assert one.decode(one.encode(foreign)) == foreign
    assert "�" in one.decode(one.encode("日")[:1])
    with pytest.raises(
        ParameterError, match="n_tokens=2000 is too large: the pairs of the training text give only"
    ):
        text.train_bpe("to be", 2000)


def test_characters_that_are_foreign_are_named():
    letters = text.build_char_tokenizer(["abc", "cd"])
    assert letters.pieces == (b"a", b"b", b"c", b"d") and letters.encode("dab") == [3, 0, 1]
    with pytest.raises(ValueError, match="the tokenizer char has no 'é'"):
        letters.encode("abé")


def test_blocks_hold_every_token_once_and_windows_come_from_anywhere():
    tokens = np.arange(103, dtype=np.uint16)
    assert torch.equal(text.blocks(tokens, 10), torch.arange(100).view(10, 10))
    sequences = text.windows(tokens, 5000, 10, generator=generator(0, "windows"))
    assert (sequences.diff(dim=1) == 1).all() and set(sequences[:, 0].tolist()) == set(range(94))


def test_counts_are_those_of_a_loop():
    tokens, size = np.array([0, 1, 1, 2, 1, 0], dtype=np.uint16), 4
    sequences = torch.tensor([[1, 1, 3], [2, 0, 1]])
    first = [(list(tokens).count(token) + 1) / (6 + 4) for token in range(size)]
    assert torch.allclose(
        Unigram(tokens, size)(sequences).exp(), torch.tensor(first).double().expand(2, 3, 4)
    )
    pairs = list(zip(tokens, tokens[1:], strict=False))

    def loop(s):
        table = torch.zeros(size, size, dtype=torch.float64)
        for a in range(size):
            n = sum(pair[0] == a for pair in pairs)
            for b in range(size):
                table[a, b] = (sum(pair == (a, b) for pair in pairs) + s * first[b]) / (n + s)
        return table

    found = Bigram(tokens, size, validation=tokens)(sequences).exp()
    assert torch.allclose(found[:, 0], torch.tensor(first).double())
    assert torch.allclose(found[:, 1:], loop(1)[sequences[:, :-1]])
    for other in ([0, 1, 1, 2, 1, 0, 1, 1, 2], [3, 0, 3, 3, 0, 2]):  # like the text, and unlike it
        other = np.array(other, dtype=np.uint16)
        losses = {
            s: -sum(loop(s)[a, b].log().item() for a, b in zip(other, other[1:], strict=False))
            for s in STRENGTHS
        }
        best = min(losses, key=losses.get)
        assert torch.allclose(Bigram(tokens, size, validation=other).log_probs.exp(), loop(best))
        assert best == (1 if other[0] == 0 else 1000)


def test_perplexity_where_it_is_known():
    """Uniform has the vocabulary size, unigrams a closed form; tokens are predicted once."""
    tokens, n_bytes = np.array([0, 1, 1, 2, 1, 0, 3] * 5, dtype=np.uint16), np.array([1, 2, 1, 3])
    asked = []

    def predictor(batch):
        asked.append(batch)
        return Uniform(4)(batch)

    found = perplexity.of_text(predictor, tokens, n_bytes=n_bytes, length=8, batch_size=3)
    assert torch.cat([batch.flatten() for batch in asked]).tolist() == tokens.tolist()
    assert found["perplexity"] == pytest.approx(4) and found["sem"] == pytest.approx(0)
    assert found["bits_per_byte"] == pytest.approx(2 * 35 / n_bytes[tokens].sum())
    counted = Unigram(tokens, 4)
    shares = np.bincount(tokens, minlength=4) / 35
    found = perplexity.of_text(counted, tokens, n_bytes=n_bytes, length=8)
    assert found["nats"] == pytest.approx(-(shares * counted.log_probs.numpy()).sum())
    for length, batch_size in ((35, 1), (7, 2), (3, 100)):
        again = perplexity.of_text(
            counted, tokens, n_bytes=n_bytes, length=length, batch_size=batch_size
        )
        assert again["nats"] == pytest.approx(found["nats"]) and again["n_tokens"] == 35


def test_the_error_of_a_perplexity_is_its_spread_over_texts():
    drawn = generator(0, "texts")
    probs = torch.tensor([0.7, 0.2, 0.1]).double()
    wrong = Unigram(np.array([0, 1, 2]), 3)
    found = []
    for _ in range(200):
        tokens = torch.multinomial(probs, 203, replacement=True, generator=drawn).numpy()
        counted = Unigram(np.array([0] * 6 + [1, 1]), 3)
        found.append(perplexity.of_text(counted, tokens, n_bytes=np.ones(3, int), length=10))
    spread = np.std([each["nats"] for each in found], ddof=1)
    assert np.mean([each["sem"] for each in found]) == pytest.approx(spread, rel=0.15)
    of_wrong = perplexity.of_text(wrong, tokens, n_bytes=np.ones(3, int), length=10)
    assert of_wrong["sem"] == pytest.approx(0)


def test_a_run_learns_text_and_is_found_again():
    run = runs.get(check(TEXT))
    loss = run.results.query("split == 'test' and row == 'mean' and measure == 'loss'")
    assert float(loss["mean"].iloc[0]) < np.log(300) - 0.2 and int(loss["n"].iloc[0]) == 40
    assert set(run.results["reference"]) == {"", "unigram", "bigram"}
    assert run.provenance["data"] == text.load(run.settings.task).fingerprint
    assert run.settings.name.startswith("plays-bpe300-C16-normal-transformer")
    again = runs.get(check(TEXT))
    assert torch.equal(again.predictor(again.splits["test"]), run.predictor(run.splits["test"]))


def test_in_parts_a_model_is_evaluated_as_at_once(monkeypatch, tiny_run):
    whole = tiny_run(TEXT).results
    monkeypatch.setattr(fit, "MAX_PREDICTED_NUMBERS", 300 * 17 * 7)
    parts = runs.get(check(TEXT | {"eval_every": 20})).results
    assert parts["step"].iloc[0] == whole["step"].iloc[0] == 20
    assert np.allclose(parts["mean"], whole["mean"]) and np.allclose(parts["sem"], whole["sem"])


def test_a_run_whose_text_or_tokenizer_changed_is_refused(tmp_path):
    corpus = folder(tmp_path / "mine", train="abcd " * 400, valid="abc " * 100, test="bcd " * 100)
    run = runs.get(
        check(TEXT | {"corpus": corpus, "tokenizer": "char", "n_tokens": 1024, "n_steps": 2})
    )
    assert run.model and run.splits
    for changed in ({"test": "bcdd " * 100}, {"test": "bcd " * 100, "train": "abce " * 400}):
        folder(tmp_path / "mine", **changed)
        corpora.read.cache_clear()
        text.load.cache_clear()
        with pytest.raises(files.StoreError, match="was trained with the corpus"):
            _ = runs.load(run.path.name).model
        with pytest.raises(files.StoreError, match="bring that back, or delete the run"):
            _ = runs.load(run.path.name).splits
        with pytest.raises(files.StoreError, match="was trained with the corpus"):
            runs.get(run.settings)
        with pytest.raises(files.StoreError, match="was trained with the corpus"):
            cache.tables([runs.load(run.path.name)], token_geometry.position_table, name="places")


def test_encoded_texts_that_were_altered_are_made_anew(capsys):
    task = check(TEXT).task
    tokens = text.load(task).tokens("train").copy()
    (path,) = (paths.build_folder() / "texts").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:128] + bytes(len(content) - 128))  # zeros behind the header
    text.load.cache_clear()
    assert np.array_equal(text.load(task).tokens("train"), tokens)
    assert f"{path} was altered and is made anew" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_permuted_tokens_keep_what_is_equal():
    plain, permuted = check(TEXT), check(TEXT | {"label_permuted": True})
    for make in (
        lambda settings: tasks.build(settings).sample(
            50, settings.task.context_length + 1, generator=generator(0, "some")
        ),
        lambda settings: tasks.build(settings).validation(),
    ):
        before, after = make(plain), make(permuted)
        assert not torch.equal(before, after)
        for one, other in zip(before, after, strict=True):
            assert torch.equal(one[:, None] == one, other[:, None] == other)
    assert torch.equal(
        tasks.build(plain).held_out()["test"], tasks.build(permuted).held_out()["test"]
    )


def test_corpora_that_are_not_there_are_told(tmp_path):
    with pytest.raises(
        ParameterError,
        match="corpus must be plays.*, got play, which is no folder; did you mean plays",
    ):
        runs.get(check(TEXT | {"corpus": "play"}))
    only = folder(tmp_path / "one", train="to be " * 100)
    with pytest.raises(
        ParameterError,
        match=r"has no valid.txt, only train.txt; a folder needs train.txt, valid.txt",
    ):
        runs.get(check(TEXT | {"corpus": only, "n_tokens": 257}))
    latin = folder(
        tmp_path / "latin", train="to be " * 100, valid="été".encode("latin-1"), test="to be"
    )
    with pytest.raises(
        ParameterError, match=r"valid.txt of corpus=.*is not UTF-8, at byte 0; convert it"
    ):
        runs.get(check(TEXT | {"corpus": latin, "n_tokens": 257}))
    short = folder(tmp_path / "short", train="to be " * 100, valid="to be", test="to be")
    with pytest.raises(
        ParameterError, match="context_length=16 needs texts of 17 tokens or more, but valid of"
    ):
        runs.get(check(TEXT | {"corpus": short, "n_tokens": 257}))
    empty = folder(tmp_path / "empty", train="to be " * 100, valid="", test="to be")
    with pytest.raises(ParameterError, match="is empty"):
        runs.get(check(TEXT | {"corpus": empty, "n_tokens": 257}))


def test_without_network_wikitext_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(corpora, "HUB", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(ParameterError) as caught:
        runs.get(check(TEXT | {"corpus": "wikitext-2"}))
    assert time.monotonic() - began < 2
    for said in (
        "Salesforce/wikitext",
        "corpus plays",
        "a folder",
        "train.txt, valid.txt and test.txt",
    ):
        assert said in str(caught.value)
    monkeypatch.setattr(text, "GPT2_HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    with pytest.raises(
        ParameterError, match="use tokenizer bpe, which is trained here, or set TIKTOKEN_CACHE_DIR"
    ):
        runs.get(check(TEXT | {"tokenizer": "gpt2", "n_tokens": 1024}))


def test_wikitext_is_loaded_once_and_kept(monkeypatch):
    asked = []

    def load_dataset(name, config):
        asked.append((name, config))
        return {
            split: {"text": [f" = {split} = \n", "", " to be \n" * 200]}
            for split in ("train", "validation", "test")
        }

    monkeypatch.setattr(corpora, "check_reachable", lambda address: None)
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert corpora.read("wikitext-2", "valid").startswith(" = validation = \n to be \n")
    corpora.read.cache_clear()
    assert corpora.read("wikitext-2", "train").startswith(" = train = \n") and len(asked) == 1
    assert asked == [("Salesforce/wikitext", "wikitext-2-v1")]


@needs_data
def test_gpt2s_encoding_is_its_own(tmp_path, monkeypatch):
    for name in ("vocab.bpe", "encoder.json"):
        address = f"https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/{name}"
        content = (Path(DATA) / "gpt2-bpe" / name).read_bytes()
        (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(content)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokenizer = text.load_gpt2()
    assert len(tokenizer.pieces) == TextSettings.GPT2_TOKENS
    assert (
        tokenizer.encode("Hello world") == [15496, 995]
        and tokenizer.decode([15496, 995]) == "Hello world"
    )
    assert tokenizer.n_bytes[[15496, 995]].sum() == 11


@needs_data
def test_on_wikitext_a_model_trained_on_valid_is_better_than_counts_on_test():
    """Train on `valid` without its last tenth, because no train split is available."""
    corpus = str(Path(DATA) / "wikitext-2")
    flat = {
        "corpus": corpus,
        "train_split": "valid",
        "n_tokens": 600,
        "n_steps": 150,
        "learning_rate": 0.01,
    }
    run = runs.get(check(TEXT | flat))
    loaded = text.load(run.settings.task)
    whole = loaded.tokens("test")
    assert loaded.tokenizer.decode(whole) == corpora.read(corpus, "test")
    assert len(loaded.tokens("train")) > 8 * len(loaded.tokens("valid")) > 0
    some, n_bytes = whole[: 17 * 2000], loaded.tokenizer.n_bytes
    scores = {
        name: perplexity.of_text(each, some, n_bytes=n_bytes, length=17)
        for name, each in {
            "model": run.predictor,
            "uniform": Uniform(600),
            **run.references,
        }.items()
    }
    assert scores["uniform"]["perplexity"] == pytest.approx(600)
    model, unigram = scores["model"], scores["unigram"]["nats"]
    assert model["nats"] + 6 * model["sem"] < unigram < np.log(600)


def test_a_training_of_text_is_told_in_words():
    run = runs.get(check(TEXT | {"n_steps": 60, "eval_every": 20, "learning_rate": 0.01}))
    said = one_run.describe(run)
    assert "The best predictor of a text is unknown. Perplexity of the whole test text" in said
    assert "bits per byte); unigram **" in said and one_run.shown_splits(run) == ["test"]
    who = {"unigram": run.references["unigram"]}
    table, names = one_run.along_one_sequence(run, who)
    tokens = run.splits["test"][20, :12].tolist()
    assert (
        table["color"].nunique() == len(names) == len(set(tokens)) and table["row"].nunique() == 12
    )
    first = table[(table["row"] == 3) & (table["color"] == table["ball"])]["probability"].item()
    assert first == pytest.approx(
        run.task.references()["unigram"].log_probs[tokens[3]].exp().item()
    )
