"""Checksums of a folder's files, which are written once and verified whenever the files are read.

They stand in `SHA256SUMS`, in the format of the command `sha256sum`, so that
`sha256sum --check SHA256SUMS` verifies a folder without this library.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from lexurn.base import files
from lexurn.base.errors import StoreError

NAME = "SHA256SUMS"

LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write(folder: Path, names: Iterable[str], *, to_come: Mapping[str, str]) -> None:
    """Write the checksums of files in a folder, and of files whose content is still to come."""
    hashes = {name: files.hash_bytes((folder / name).read_bytes()) for name in names}
    hashes.pop(NAME, None)  # of a training that was killed right after it had written them
    hashes |= {name: files.hash_bytes(content.encode()) for name, content in to_come.items()}
    files.write(folder / NAME, to_text(hashes))


def to_text(hashes: Mapping[str, str]) -> str:
    """Return the text of `SHA256SUMS` for files with these hashes, by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))


def read(folder: Path) -> dict[str, str]:
    """Return the hashes of a folder's files by name; none if `SHA256SUMS` is missing or damaged."""
    try:
        lines = (folder / NAME).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    matches = [LINE.fullmatch(line) for line in lines]
    return {} if None in matches else {match[2]: match[1] for match in matches if match}


def verify(folder: Path, *, required: str, remedy: str) -> None:
    """Raise StoreError, with a remedy, unless the files in a folder are what they were.

    The file named `required` must have a checksum.
    """
    hashes = read(folder)
    if required not in hashes:
        raise StoreError(f"{folder / NAME} is missing or damaged; {remedy}")
    for name, digest in hashes.items():
        path = folder / name
        if not path.is_file() or files.hash_bytes(path.read_bytes()) != digest:
            raise StoreError(f"{path} is missing or was altered (see {NAME}); {remedy}")
