"""JSON documents whose lists of floats are stored as compressed bytes, such as published results.

    content = columns.pack(document)            columns.unpack(content) == document, bit by bit

The first bytes of all floats stand together, then their second bytes, and so on, which Zstandard
compresses better than numbers one after the other. The rest of the document stays JSON. A packed
document holds no code, so reading it executes none.
"""

import json
from itertools import islice
from typing import Any

import numpy as np
import zstandard

FLOATS = "\0floats"
"""The key of a dict that stands where a list of floats was taken out; its value is their number."""


def pack(document: Any) -> bytes:
    """Return a document of dicts, lists, texts, numbers, booleans and None as compressed bytes."""
    floats: list[float] = []

    def take_out(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: take_out(value) for name, value in part.items()}
        if isinstance(part, list) and set(map(type, part)) == {float}:
            floats.extend(part)
            return {FLOATS: len(part)}
        return list(map(take_out, part)) if isinstance(part, list) else part

    text = json.dumps(take_out(document), separators=(",", ":")).encode()
    planes = np.array(floats, "<f8").view("u1").reshape(-1, 8).T.tobytes()
    content = len(text).to_bytes(4, "little") + text + planes
    return zstandard.ZstdCompressor(level=19).compress(content)


def unpack(content: bytes) -> Any:
    """Return the document that `pack` was given. Raises ValueError for other bytes."""
    try:
        content = zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise ValueError(f"these bytes are no packed document ({error})") from None
    start = 4 + int.from_bytes(content[:4], "little")
    planes = np.frombuffer(content, "u1", offset=start).reshape(8, -1)
    floats = iter(np.ascontiguousarray(planes.T).view("<f8").ravel().tolist())
    return json.loads(
        content[4:start],
        object_hook=lambda part: list(islice(floats, part[FLOATS])) if FLOATS in part else part,
    )
