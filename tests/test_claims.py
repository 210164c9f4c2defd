"""Bands are bands, were written for what is published, and tell a right figure from a wrong one."""

import pytest
import yaml

from lexurn import claims, discrimination, parameters, paths
from lexurn.tasks import Urns


@pytest.fixture(autouse=True)
def fresh():
    claims.read.cache_clear()
    yield
    claims.read.cache_clear()


def test_every_claim_belongs_to_a_chapter_and_its_band_holds_what_is_known():
    for key, claim in claims.read().items():
        assert (paths.root() / "book" / f"{claim.chapter}.py").exists(), key
        assert f"{claim.scale}.yaml" in {"defaults.yaml", *(path.name for path in (paths.root() / "params").iterdir())}
        if claim.published is not None:
            assert claim.holds(claim.published), key


def test_the_exact_table_lies_in_its_bands_and_exchanged_columns_do_not():
    for v, c, d in ((4, 64, 1), (4, 64, 4)):
        options = {"context_length": c, "n_tasks": d, "n_pools": 100, "n_sequences": 24, "seed": 0}
        table = discrimination.against_truth(Urns(v), **options).set_index(["split", "reference"])["mean"]
        for (split, reference), mean in table.items():
            if mean > 1e-12:
                claim = claims.get(f"exact/V{v}_C{c}_D{d}/{split}/{reference}")
                assert claim.holds(mean)
                if reference == "symmetrized":
                    assert not claim.holds(table[split, "memorizing"]) and not claim.holds(table[split, "generalizing"])


def test_a_table_says_what_holds_only_at_the_scale_of_the_band():
    measured = {"headline/lexical": 0.14, "headline/normal": 2.0}
    at_scale, elsewhere = (claims.table(measured, n=n)["in the band"].tolist() for n in (12, None))
    assert at_scale == ["yes", "NO"] and elsewhere == ["not at this scale"] * 2
    assert claims.table(measured, n=5)["in the band"].tolist() == elsewhere
    assert claims.summary(measured, n=12) == "In their bands, of 2 figures: 1 yes, 1 NO: headline/normal."
    assert claims.summary(measured, n=5) == "In their bands, of 2 figures: 2 not at this scale."


def test_an_unknown_claim_is_refused_by_the_nearest_name():
    with pytest.raises(parameters.ParameterError, match="did you mean headline/lexical"):
        claims.get("headline/lexica")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"low": 2.0}, "low must be below high, got 2.0 and 0.25"),
        ({"band": 1}, "band"),
        ({"key": "Not A Key"}, "key"),
        ({"scale": "large"}, "scale"),
        (None, "has headline/lexical twice"),
    ],
)
def test_a_wrong_claim_is_refused(tmp_path, monkeypatch, change, said):
    (good,) = [claim for key, claim in claims.read().items() if key == "headline/lexical"]
    written = [good.model_dump() | (change or {})] * (1 if change else 2)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "claims.yaml").write_text(yaml.safe_dump(written))
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    claims.read.cache_clear()
    with pytest.raises(ValueError, match=said):
        claims.read()
