"""How much the tests of a promise try, and what `book/promises.md` says about it.

`tests/benchmarks/promises.py` runs these tests at a larger scale and collects what they count.
"""

import json
import os

FILE = os.environ.get("LEXURN_TRIED")
"""Where the counts go; None in the test command, which tries less."""


def scale(few, many):
    """Return `few` in the test command, and `many` for the page."""
    return many if FILE else few


def count(what, n):
    """Count `n` trials of a kind. All of them have been survived, or the test has failed."""
    if FILE:
        with open(FILE, "a") as file:
            file.write(json.dumps({"what": what, "n": n}) + "\n")
