"""Claims: bands, verdicts, and what a wrong number or a wrong entry gives."""

import re

import pytest

from lexurn import parameters
from lexurn.base import paths, session
from lexurn.chapters.data import claim_bands, discrimination
from lexurn.chapters.rules import baselines
from lexurn.generators.urns import Urns
from lexurn.publish import claims


def test_every_claim_belongs_to_a_chapter_and_its_band_holds_what_is_known():
    for key, claim in claims.read().items():
        assert (paths.root() / "book" / f"{claim.chapter}.py").exists(), key
        assert f"{claim.scale}.yaml" in {
            "defaults.yaml",
            *(path.name for path in (paths.root() / "params").iterdir()),
        }
        if claim.published is not None:
            assert claim.contains(claim.published), key


def test_the_exact_table_lies_in_its_bands_and_exchanged_columns_do_not():
    for v, c, d in ((4, 64, 1), (4, 64, 4)):
        options = {"context_length": c, "n_tasks": d, "n_pools": 100, "n_sequences": 24, "seed": 0}
        table = discrimination.kl_from_truth(Urns(v), **options).set_index(["split", "reference"])[
            "mean"
        ]
        for (split, reference), mean in table.items():
            if mean > 1e-12:
                claim = claims.get(f"exact/V{v}_C{c}_D{d}/{split}/{reference}")
                assert claim.contains(mean)
                if reference == "symmetrized":
                    assert not claim.contains(table[split, "memorizing"]) and not claim.contains(
                        table[split, "generalizing"]
                    )


def test_a_table_says_what_holds_only_at_the_scale_of_the_band():
    full, few = (
        {
            "headline/lexical": claims.Measurement(0.14, 0.02, n),
            "headline/normal": claims.Measurement(2.0, 0.1, n),
        }
        for n in (12, 5)
    )
    assert claims.table(full)["verdict"].tolist() == ["reproduced", "refuted"]
    assert claims.table(full)["ours"].tolist() == ["0.140 ± 0.020", "2.00 ± 0.10"]
    elsewhere = ["not at this scale"] * 2
    assert claims.table(few)["verdict"].tolist() == elsewhere
    assert claims.table(full, at_scale=False)["verdict"].tolist() == elsewhere
    assert claim_bands.summary(full).endswith(": 1 reproduced, 1 refuted: headline/normal.")
    assert claim_bands.summary(few).startswith("Verdicts on 2 checks of our code")
    assert claim_bands.summary(few).endswith(": 2 not at this scale.")


def test_a_verdict_other_than_the_written_one_is_reported(monkeypatch):
    monkeypatch.setattr(session.current(), "claims", {})
    claims.record({"headline/lexical": claims.Measurement(0.14, 0.02, 12)})
    known = "geometry/below_five_gram"
    claims.record({known: claims.Measurement(0.04, 0.003, 3)})  # known to be refuted
    claims.record({"headline/normal": claims.Measurement(7.0, 0.02, 5)})  # not at this scale
    assert claims.unexpected_verdicts(session.current().claims) == []
    claims.record({"headline/lexical": claims.Measurement(0.3, 0.02, 12)})
    claims.record({known: claims.Measurement(-0.1, 0.003, 3)})
    first, second = claims.unexpected_verdicts(session.current().claims)
    assert first.endswith(
        "headline/lexical is refuted, not reproduced: 0.3 ± 0.02 (n = 12), band 0.05 … 0.25"
    )
    assert second.endswith("is reproduced, not refuted: -0.1 ± 0.003 (n = 3), band -0.3 … 0")


def test_no_level_without_a_model_agrees_with_a_published_share():
    """The tolerance is 0.4 times the distance to the nearest such level, but at most 0.15."""
    levels = baselines.baseline_levels(["aNbN", "baN", "dyck"], 33).groupby("language")["value"]
    shares = [key for key in claims.read() if key.startswith(("rules/best_", "rules/sampled_"))]
    assert len(shares) == 14
    for key in shares:
        claim = claims.get(key)
        of_language = levels.get_group(key.split("_")[1])
        distance = (of_language - claim.published).abs().min()
        tolerance = min(0.4 * distance, 0.15)
        assert claim.low == pytest.approx(claim.published - tolerance, abs=6e-6)
        assert claim.high == pytest.approx(claim.published + tolerance, abs=6e-6)
        exact = claims.Measurement(claim.published, 0.0, claim.n)
        assert claim.judge(exact) == "reproduced"
        for level in of_language:
            without_a_model = claims.Measurement(level, 0.0, claim.n)
            assert claim.judge(without_a_model) == "refuted" or claim.published == 0.154


def test_an_unknown_claim_is_refused_by_the_nearest_name():
    with pytest.raises(parameters.ParameterError, match="did you mean headline/lexical"):
        claims.get("headline/lexica")


def test_every_refuted_claim_says_why_in_a_sentence_without_typed_in_numbers():
    refuted = [claim for claim in claims.read().values() if claim.verdict == "refuted"]
    assert len(refuted) == 20
    for claim in refuted:
        assert claim.why.endswith(".") and 30 < len(claim.why) < 400, claim.key
        assert not re.search(r"\d\.\d", claim.why), claim.key  # numbers stand in the row
    assert {claim.family for claim in refuted} == {"published", "forecast"}  # no check is refuted


def test_a_number_that_nobody_published_is_no_published_result():
    for claim in claims.read().values():
        assert (claim.family == "published") <= (claim.source != "none"), claim.key
        assert (claim.family == "forecast") == (claim.source == "none"), claim.key


GOOD = """\
- key: a/first
  family: published
  chapter: 01_data
  figure: one
  quantity: a number
  source: a paper
  published: 0.14
  kind: mean
  low: 0.05
  high: 0.25
  scale: book
  n: 12
  known_before: false
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("low: 0.05", "low: 2", r"line 14: low must be below high, got 2.0"),
        ("n: 12", "nn: 12", r"line 25: nn: .*, got 12; did you mean n\? the file is"),
        ("n: 12", "n: many", r"line 25: n: Input should be .*, got 'many'"),
        ("  n: 12\n", "", r"line 14: n: Field required; the file is a list"),
        ("published\n", "rumour\n", r"line 15: family: .*'check', got 'rumour'"),
        ("a/other", "Not A Key", r"line 14: key: .*, got 'Not A Key'"),
        ("a/other", "a/first", r"line 14: the key a/first stands twice; give each"),
        (
            "scale: book",
            "scale: large",
            r"line 24: scale: .* be 'defaults' or 'book'",
        ),
        ("false", "false\n  verdict: refuted", "a refuted claim has a sentence `why`, .*why ''"),
        ("false", "false\n  why: it failed", "no other claim has one, got verdict reproduced and"),
        ("n: 12", "n: 12\n  n: 13", "n stands twice in a mapping"),
        ("n: 12", "n: [", "is not YAML in UTF-8"),
    ],
)
def test_a_wrong_claim_is_refused_by_file_and_line(tmp_path, monkeypatch, old, new, message):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    (tmp_path / "params").mkdir()
    other = GOOD.replace("a/first", "a/other")
    path = tmp_path / "params" / "claims.yaml"
    path.write_text(GOOD + other.replace(old, new))
    with pytest.raises(parameters.ParameterError, match=rf"claims\.yaml\b.*{message}"):
        claims.read()
    path = path.rename(path.with_name("good.yaml"))
    path.write_text(GOOD + other)
    assert list(claims._read(path)) == ["a/first", "a/other"]


def test_a_claims_file_that_is_no_list_of_mappings_is_refused(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("key: a/first\n")
    with pytest.raises(
        parameters.ParameterError, match="valid list; the file is a list of claims, each with key"
    ):
        claims._read(path)
    path = tmp_path / "others.yaml"
    path.write_text(GOOD + "- just words\n")
    with pytest.raises(parameters.ParameterError, match="line 14: Input should be .*; the file is"):
        claims._read(path)


@pytest.mark.parametrize(
    "value, error, verdict",
    [
        (0.5, 0.1, "reproduced"),
        (1.05, 0.1, "undecided"),
        (0.95, 0.1, "undecided"),
        (1.5, 0.1, "refuted"),
    ],
)
def test_a_claim_is_judged_by_intervals_and_a_check_by_its_number(value, error, verdict):
    """n = 5: the 90 % interval is ± 2.13 errors, the 95 % one ± 2.78."""
    claim = claims.get("rules/relabelled_lexical").model_copy(
        update={"low": 0.0, "high": 1.0, "n": 5}
    )
    assert claim.judge(claims.Measurement(value, error, 5)) == verdict
    assert claim.judge(claims.Measurement(value, float("nan"), 5)) == "undecided"
    check = claim.model_copy(update={"family": "check"})
    by_number = "reproduced" if value < 1 else "refuted"
    assert check.judge(claims.Measurement(value, error, 5)) == by_number
    assert check.judge(claims.Measurement(value, float("nan"), 5)) == by_number
