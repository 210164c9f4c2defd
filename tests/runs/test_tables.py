"""What is written to a table is read back, to the last bit."""

import numpy as np
import pandas as pd
import pytest

from lexurn import runs
from lexurn.base import files, paths
from lexurn.publish import edition


def test_a_table_comes_back_as_it_was(store):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": ["0", "last", "mean", ""],
            "who": ['a "b"', "x, y", "two\r\nlines\rand more", "NA"],
            "known": ["yes", None, "", " no "],
            "n": [1, -2, 2**62, 0],
            "mean": rng.standard_normal(4) * 10.0 ** rng.integers(-300, 300, 4),
            "sem": [1.0, float("nan"), float("inf"), 0.1 + 0.2],
            "whole": [1.0, 2.0, 3.0, 4.0],
            "better": [True, False, True, True],
            "in_distribution/kl": [1, 2, 3, 4],
        }
    )
    path = runs.write_table("urn_by_urn", frame)
    assert path == store / "tables" / "urn_by_urn.csv" and path.read_text().startswith(
        '"row","who","known",n,mean,'
    )
    pd.testing.assert_frame_equal(runs.read_table("urn_by_urn"), frame, check_exact=True)
    careless = pd.read_csv(
        path
    )  # the control: without the rule, labels become numbers and texts go missing
    assert careless["row"].isna().any() and careless["who"].isna().any()
    filtered = frame[frame["n"] > 0]  # has gaps in its row numbers
    runs.write_table("urn_by_urn", filtered)
    again = runs.read_table("urn_by_urn")
    pd.testing.assert_frame_equal(again, filtered.reset_index(drop=True), check_exact=True)
    checksums = f".{path.name}.sha256"
    assert sorted(each.name for each in path.parent.iterdir()) == [checksums, path.name]


def test_a_table_that_was_altered_is_refused_and_a_killed_process_leaves_a_valid_one(
    store, monkeypatch
):
    first, second = pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]})
    path = runs.write_table("urns", first)
    write = files.write

    def write_checksums_only(path, content):
        if path.suffix == ".csv":
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "write", write_checksums_only)
        runs.write_table("urns", second)
    pd.testing.assert_frame_equal(runs.read_table("urns"), first)
    runs.write_table("urns", second)
    pd.testing.assert_frame_equal(runs.read_table("urns"), second)
    path.write_text("x\n3\n")
    with pytest.raises(files.StoreError, match="urns.csv was altered after it was written; delete"):
        runs.read_table("urns")


@pytest.mark.parametrize("name", ["../outside", "tables/../../outside", "", "/etc/passwd"])
def test_no_table_outside_the_store_is_read(store, name):
    (store / "tables").mkdir(parents=True)
    (store / "outside.csv").write_text("x\n1\n")
    with pytest.raises(FileNotFoundError, match="no table"):
        runs.read_table(name)


@pytest.mark.parametrize(
    ("name", "frame", "said"),
    [
        ("a/b", pd.DataFrame({"x": [1]}), "a table's name consists of"),
        ("t", pd.DataFrame({"x": [1]}, index=["mean"]), "use reset_index"),
        ("t", pd.DataFrame({"x": [1]}).rename_axis("step"), "use reset_index"),
        (
            "t",
            pd.DataFrame({"x": [1, "a"]}),
            "or texts but not 'nan', got mixed-integer in x",
        ),
        ("t", pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}), "got datetime64 in x"),
        ("t", pd.DataFrame({"x": pd.array([True, None], dtype="boolean")}), "got boolean in x"),
        ("t", pd.DataFrame({"x": ["nan"]}), "texts but not 'nan', got string in x"),
        ("t", pd.DataFrame({"x,y": [1]}), "without quotes, commas and line ends, got"),
    ],
)
def test_what_would_not_come_back_is_refused(store, name, frame, said):
    with pytest.raises(ValueError, match=said):
        runs.write_table(name, frame)
    assert not store.exists()


def test_a_published_table_is_read_after_ones_own(tmp_path, monkeypatch):
    own, published = paths.runs(), tmp_path / "published"
    monkeypatch.setenv("LEXURN_RUNS", str(published))
    runs.write_table("urns", pd.DataFrame({"x": [1]}))
    monkeypatch.setenv("LEXURN_RUNS", str(own))
    with pytest.raises(
        FileNotFoundError,
        match="no table urns in .*; runs.write_table makes one",
    ):
        runs.read_table("urns")
    edition.seal(published)
    monkeypatch.setattr(paths, "published_results", lambda: published)
    assert runs.read_table("urns")["x"].item() == 1
    runs.write_table("urns", pd.DataFrame({"x": [2]}))
    assert runs.read_table("urns")["x"].item() == 2
    with pytest.raises(FileNotFoundError, match="no table urn in .*; did you mean urns"):
        runs.read_table("urn")
