"""The hash of code changes with whatever a function names, and with nothing else."""

import pytest

from lexurn.base import paths, sources

FILES = {
    "chapters/urns.py": '''"""A chapter."""
from lexurn.measures import distances
from lexurn.predictors import Exact

SCALE = 2


def table(n):
    """Return a table."""
    return distances.mean(Exact(n)) * SCALE


def other(n):
    return n
''',
    "measures/__init__.py": "",
    "measures/distances.py": "def mean(x):\n    return half(x)\n\n\ndef half(x):\n"
    "    # a comment\n    return x / 2\n\n\ndef unused(x):\n    return x\n",
    "predictors/__init__.py": "from lexurn.predictors.exact import Exact\n",
    "predictors/exact.py": "from lexurn.base.files import write\n\n\nclass Exact:\n"
    "    def __call__(self, x):\n        from lexurn.predictors.fast import power\n\n"
    "        write(x)\n        return power(x)\n",
    "predictors/fast.py": "try:\n    import numba\nexcept ImportError:\n    numba = None\n\n\n"
    "def power(x):\n    return x**2\n",
    "base/__init__.py": "",
    "base/files.py": "def write(x):\n    return x\n",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library, and a function that edits one of its files and returns the new hash."""
    monkeypatch.setattr(paths, "LIBRARY", tmp_path / "lexurn")
    for name, text in FILES.items():
        path = paths.LIBRARY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(name="", old="", new=""):
        if name:
            path = paths.LIBRARY / name
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new))
        sources.definitions.cache_clear()
        return sources.code_hash("lexurn.chapters.urns:table")

    yield edit
    sources.definitions.cache_clear()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("chapters/urns.py", "* SCALE", "+ SCALE"),
        ("chapters/urns.py", "SCALE = 2", "SCALE = 3"),
        ("measures/distances.py", "x / 2", "x / 3"),
        ("predictors/fast.py", "x**2", "x**3"),
        ("predictors/exact.py", "power(x)", "power(2 * x)"),
        ("predictors/__init__.py", "exact import Exact", "fast import power as Exact"),
    ],
)
def test_whatever_is_named_counts(library, name, old, new):
    before = library()
    assert before == library()
    assert library(name, old, new) != before
    assert library(name, new, old) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("chapters/urns.py", '"""Return a table."""', '"""Return the table,\n    as it is."""'),
        ("chapters/urns.py", "return n\n", "return n + 1\n"),
        ("measures/distances.py", "# a comment", "# another one"),
        ("measures/distances.py", "x / 2", "x  /  2"),
        ("measures/distances.py", "def unused(x):\n    return x", "def unused(x):\n    return 0"),
        ("base/files.py", "return x", "return 2 * x"),
    ],
)
def test_what_is_not_named_wording_and_the_stores_code_do_not(library, name, old, new):
    assert library() == library(name, old, new)


def test_the_code_of_exact_predictors_stands_behind_the_tables_of_the_data_chapter():
    sources.definitions.cache_clear()
    seen = []
    original = sources.definitions

    def definitions(module):
        seen.append(module)
        return original(module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "definitions", definitions)
        sources.code_hash("lexurn.chapters.data.discrimination:kl_from_truth")
    assert {"lexurn.predictors.symmetrized", "lexurn.base.divergences"} <= set(seen)
    assert not {"lexurn.figures.plots", "lexurn.runs.run"} & set(seen)
