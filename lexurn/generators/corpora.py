"""Texts to learn from, in three splits: train, valid, test.

plays         eight plays by Shakespeare, which ship with the book (source and licence beside them)
wikitext-2    articles of Wikipedia (Merity et al. 2016), downloaded once through `datasets`
a folder      with train.txt, valid.txt and test.txt, in UTF-8
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lexurn.base import files, paths
from lexurn.base.errors import ParameterError, suggestion

SPLITS = ("train", "valid", "test")

WIKITEXT = ("Salesforce/wikitext", "wikitext-2-v1")
HUB = "https://huggingface.co"
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
TIMEOUT = 1.5  # seconds within which a server must answer


@cache
def read(corpus: str, split: str) -> str:
    """Return the text of a split.

    Raises ParameterError if the corpus or its file is missing, empty, or not UTF-8.
    """
    path = folder(corpus) / f"{split}.txt"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        names = sorted(file.name for file in path.parent.iterdir())
        raise ParameterError(
            f"corpus={corpus} has no {path.name}, only {', '.join(names[:8]) or 'no files'}; "
            "a folder needs train.txt, valid.txt, test.txt (with train_split valid, the last two)"
        ) from None
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{path.name} of corpus={corpus} is not UTF-8, at byte {error.start}; "
            "convert it, for example with iconv -f latin1 -t utf-8"
        ) from None
    if not text:
        raise ParameterError(f"{path.name} of corpus={corpus} is empty; put some text into it")
    return text


def folder(corpus: str) -> Path:
    """Return the folder with the files of a corpus, and download WikiText-2 if it is missing.

    Raises ParameterError if there is no such corpus.
    """
    if corpus == "plays":
        return paths.root() / "book" / "assets" / "plays"
    if corpus == "wikitext-2":
        return _download_wikitext(paths.build_folder() / "texts" / corpus)
    path = Path(corpus).expanduser()
    if not path.is_dir():
        hint = suggestion(corpus, ["plays", "wikitext-2"])
        raise ParameterError(
            f"corpus must be plays, wikitext-2 or a folder, got {corpus}, which is no folder; "
            f"{hint or 'check the path'}".strip()
        )
    return path


def _download_wikitext(target: Path) -> Path:
    if all((target / f"{split}.txt").exists() for split in SPLITS):
        return target
    name, config = WIKITEXT
    try:
        check_reachable(HUB)
        from datasets import load_dataset
        from datasets.utils.logging import disable_progress_bar

        disable_progress_bar()
        dataset = load_dataset(name, config)
    except ImportError:
        raise ParameterError(
            'corpus=wikitext-2 needs the package datasets; run pip install -e ".[text]"'
        ) from None
    except OSError as error:
        raise ParameterError(
            f"corpus=wikitext-2 has not been downloaded, and the data set {name} ({config}) cannot "
            f"be loaded now: {' '.join(str(error).split())[:200]}; use corpus plays, which ships "
            "with the book, or a folder of your own with train.txt, valid.txt and test.txt"
        ) from None
    for split in SPLITS:
        files.write(target / f"{split}.txt", "".join(dataset[HUB_SPLITS[split]]["text"]))
    return target


def check_reachable(address: str) -> None:
    """Raise OSError unless a server answers within `TIMEOUT` seconds.

    Libraries that load from the server would try for much longer.
    """
    # a thread, because the timeout of urlopen does not cover the resolution of names
    request = Request(address, method="HEAD")
    answer = ThreadPoolExecutor(1).submit(urlopen, request, timeout=TIMEOUT)
    try:
        with suppress(HTTPError):  # an error status is an answer too
            answer.result(TIMEOUT).close()
    except TimeoutError:
        raise OSError(f"no answer from {address} within {TIMEOUT} s") from None
