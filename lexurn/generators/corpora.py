"""Texts to learn from, in three splits: train, valid, test.

plays         eight plays by Shakespeare, which ship with the book (`book/assets/plays`, with source and licence)
wikitext-2    articles of Wikipedia (Merity et al. 2016, `wikitext-2-v1`), loaded once through `datasets`
a folder      with train.txt, valid.txt and test.txt, in UTF-8
"""

import threading
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from lexurn.base import files, paths
from lexurn.settings.resolver import ParameterError, suggestion

SPLITS = ("train", "valid", "test")

WIKITEXT = ("Salesforce/wikitext", "wikitext-2-v1")
HUB = "https://huggingface.co"
NAMES_THERE = {"train": "train", "valid": "validation", "test": "test"}

SECONDS = 1.5
"""How long a server may take to answer at all."""


@cache
def read(corpus: str, split: str) -> str:
    """The text of a split. Raises ParameterError where it cannot be had."""
    path = folder(corpus) / f"{split}.txt"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        there = sorted(each.name for each in path.parent.iterdir())
        raise ParameterError(
            f"corpus={corpus} has no {path.name}, only {', '.join(there[:8]) or 'no files'}; a folder needs "
            f"{', '.join(f'{each}.txt' for each in SPLITS)} (with trained_on valid, the last two)"
        ) from None
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{path.name} of corpus={corpus} is not UTF-8, at byte {error.start}; convert it, for example with "
            f"iconv -f latin1 -t utf-8"
        ) from None
    if not text:
        raise ParameterError(f"{path.name} of corpus={corpus} is empty; put some text into it")
    return text


def folder(corpus: str) -> Path:
    """Where the files of a corpus are; those of WikiText-2 are loaded if they are not there yet."""
    if corpus == "plays":
        return paths.root() / "book" / "assets" / "plays"
    if corpus == "wikitext-2":
        return _loaded(paths.build_folder() / "texts" / corpus)
    path = Path(corpus).expanduser()
    if not path.is_dir():
        near = suggestion(corpus, ["plays", "wikitext-2"])
        raise ParameterError(
            f"corpus must be plays, wikitext-2 or a folder, got {corpus}, which is none; {near}".strip()
        )
    return path


def _loaded(target: Path) -> Path:
    if all((target / f"{split}.txt").exists() for split in SPLITS):
        return target
    name, config = WIKITEXT
    try:
        require_answer(HUB)
        from datasets import load_dataset
        from datasets.utils.logging import disable_progress_bar

        disable_progress_bar()
        found = load_dataset(name, config)
    except ImportError:
        raise ParameterError(
            'corpus=wikitext-2 needs the package datasets; pip install -e ".[text]"'
        ) from None
    except OSError as error:
        raise ParameterError(
            f"corpus=wikitext-2 is not here, and the data set {name} ({config}) cannot be loaded: "
            f"{' '.join(str(error).split())[:200]}; use corpus plays, which ships with the book, or a folder of "
            "your own with train.txt, valid.txt and test.txt"
        ) from None
    with files.store_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        files.write(target / f"{split}.txt", "".join(found[NAMES_THERE[split]]["text"]))
    return target


def require_answer(address: str) -> None:
    """Raise OSError unless a server answers at once: libraries that load from it try for much longer."""
    failed: list[Exception] = [TimeoutError(f"no answer from {address} within {SECONDS} s")]

    def ask() -> None:
        try:
            urllib.request.urlopen(
                urllib.request.Request(address, method="HEAD"), timeout=SECONDS
            ).close()
        except urllib.error.HTTPError:
            pass  # it answered
        except Exception as error:
            failed[0] = error
            return
        failed.clear()

    thread = threading.Thread(
        target=ask, daemon=True
    )  # where names are not resolved, no timeout counts
    thread.start()
    thread.join(SECONDS)
    if failed:
        raise OSError(str(failed[0]))
