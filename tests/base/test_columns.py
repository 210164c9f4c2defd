"""A packed document comes back bit by bit, and other bytes are refused."""

import gzip
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexurn.base import columns

TABLE = {
    "mean": [0.1, -0.0, 0.0, math.inf, 0.1, 0.1, 5e-324, 0.1 + 0.2, 1e300, 0.1],
    "row": ["0", "1", "last", "mean", "0", "ü", "", "nan", "0", "1"],
    "n": [500, 500, 2**60, -3, 500, 0, 1, 1, 1, 1],
}
ROWS = [{"step": 0, "loss": 0.5}] + [{"step": n, "train": n / 3, "loss": 0.1} for n in range(1, 6)]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
lists = st.lists(st.floats(allow_nan=False)) | st.lists(st.text()) | st.lists(st.integers())
documents = st.recursive(
    scalars | lists, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=20
)


@given(documents)
def test_any_document_comes_back(document):
    assert json.dumps(columns.unpack(columns.pack(document))) == json.dumps(document)


def test_floats_keep_every_bit_and_dicts_the_order_of_their_keys():
    document = {"table": TABLE, "metrics": ROWS, "best": 3, "nan": [math.nan] * 5, "none": []}
    again = columns.unpack(columns.pack(document))
    bits = [struct.pack("<d", value) for value in again["table"]["mean"]]
    assert bits == [struct.pack("<d", value) for value in TABLE["mean"]]
    assert json.dumps(again) == json.dumps(document)
    assert [list(row) for row in again["metrics"]] == [list(row) for row in ROWS]
    other = columns.unpack(columns.pack({"x": [0.0, 1.0, 2.0, 3.0]}))
    assert math.copysign(1, other["x"][0]) != math.copysign(1, again["table"]["mean"][1])


def test_it_is_smaller_than_compressed_json():
    numbers = [math.sin(n) / 7 for n in range(1000)]
    assert len(columns.pack(numbers)) < 0.85 * len(gzip.compress(json.dumps(numbers).encode()))


def test_other_bytes_are_refused():
    content = columns.pack(TABLE)
    with pytest.raises(ValueError, match="no packed document"):
        columns.unpack(content[: len(content) // 2])
    with pytest.raises(ValueError, match="no packed document"):
        columns.unpack(b"{}")
