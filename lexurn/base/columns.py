"""JSON documents whose lists are stored as compressed columns, for example the published runs.

    content = columns.pack(document)            columns.unpack(content) == document, bit by bit

A list of floats keeps the bytes of each of them; a list of texts or of integers keeps each distinct
value once; a list of dicts keeps one column per key. Everything else stays JSON. The whole is
compressed by Zstandard. It holds no code, so reading it executes none.
"""

import json
from typing import Any

import numpy as np
import zstandard

MIN_LENGTH = 4
"""The length of the shortest list that is stored as columns."""

COLUMN, ROWS = "\0column", "\0rows"
"""Keys that stand in a document's JSON where a column, or a list of dicts, was taken out."""

MAX_DISTANCE = 2**16 - 1
"""How far back a float may stand that is stored as a repetition of that float."""


def pack(document: Any) -> bytes:
    """Return a document of dicts, lists, texts, numbers, booleans and None as compressed bytes."""
    blobs: list[bytes] = []
    text = json.dumps(_take_out(document, blobs), separators=(",", ":")).encode()
    content = b"".join([len(text).to_bytes(4, "little"), text, *blobs])
    return zstandard.ZstdCompressor(level=19).compress(content)


def unpack(content: bytes) -> Any:
    """Return the document that `pack` was given. Raises ValueError for other bytes."""
    try:
        content = zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise ValueError(f"these bytes are no packed document ({error})") from None
    place = 4 + int.from_bytes(content[:4], "little")

    def read(n: int, kind: str) -> np.ndarray:
        nonlocal place
        size = np.dtype(kind).itemsize
        part = np.frombuffer(content, "u1", n * size, place).reshape(size, n)
        place += n * size
        return np.ascontiguousarray(part.T).view(kind)[:, 0]

    def put_back(part: dict[str, Any]) -> Any:
        """Return a dict, or the list in its place; columns come in the order of `_take_out`."""
        if ROWS in part:
            columns = {name: iter(values) for name, values in part["columns"].items()}
            rows = [part["keys"][number] for number in part[ROWS]]
            return [{name: next(columns[name]) for name in keys} for keys in rows]
        if COLUMN not in part:
            return part
        n = part[COLUMN]
        if "values" in part:
            return [part["values"][code] for code in read(n, "<u4").tolist()]
        distances = read(n, "<u2")
        new = read(int((distances == 0).sum()), "<f8")
        source = np.arange(n) - distances
        while (distances[source] != 0).any():  # repetitions of repetitions
            source = source[source]
        return new[(np.cumsum(distances == 0) - 1)[source]].tolist()

    return json.loads(content[4:place], object_hook=put_back)


def _take_out(part: Any, blobs: list[bytes]) -> Any:
    """Return a part of a document with its columns taken out and appended to `blobs`."""
    if isinstance(part, dict):
        return {name: _take_out(value, blobs) for name, value in part.items()}
    if not isinstance(part, list):
        return part
    kinds = set(map(type, part)) if len(part) >= MIN_LENGTH else set()
    if kinds == {float}:
        values = np.array(part).view("<u8")
        distances = _distances(values.tolist())
        blobs += [_by_byte(distances), _by_byte(values[distances == 0])]
        return {COLUMN: len(part)}
    if kinds in ({str}, {int}):
        distinct = {value: number for number, value in enumerate(dict.fromkeys(part))}
        blobs.append(_by_byte(np.array([distinct[value] for value in part], "<u4")))
        return {COLUMN: len(part), "values": list(distinct)}
    if kinds == {dict}:
        keys = list(dict.fromkeys(map(tuple, part)))
        columns: dict[str, list[Any]] = {}
        for row in part:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        numbers = [keys.index(tuple(row)) for row in part]
        return _take_out({"columns": columns, "keys": list(map(list, keys)), ROWS: numbers}, blobs)
    return [_take_out(value, blobs) for value in part]


def _distances(values: list[int]) -> np.ndarray:
    """Return how many places before each value the same value stood last; 0 for a new value."""
    last: dict[int, int] = {}
    distances = np.zeros(len(values), "<u2")
    for place, value in enumerate(values):
        distance = place - last.get(value, place)
        distances[place] = distance if distance <= MAX_DISTANCE else 0
        last[value] = place
    return distances


def _by_byte(values: np.ndarray) -> bytes:
    """Return all first bytes, then all second bytes, and so on, which compresses better."""
    return values.view("u1").reshape(len(values), -1).T.tobytes()
