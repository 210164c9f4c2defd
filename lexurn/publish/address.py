"""The address of the repository: set in every file that names it, or in none.

`_config.yml` holds the address. The first cells of chapters and notebooks, the README and
CITATION.cff repeat it. While its owner is the `PLACEHOLDER`, no page and no row of the README shows
a button that opens a notebook in Colab, because the button would open nothing.
"""

import re
from pathlib import Path

import yaml

from lexurn.base import errors, files, paths

PLACEHOLDER = "OWNER"
FILES = ("README.md", "CITATION.cff", "pyproject.toml")  # and the book's, and then _config.yml
ADDRESS = r"https://github\.com/([A-Za-z0-9](?:-?[A-Za-z0-9]){,38})/([\w.-]{1,100})"
NOT_OPEN = "`papermill book/{stem}.ipynb out.ipynb`"  # instead of a badge
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{slug}/blob/{tag}/book/{stem}.ipynb)"
)


def has_owner(url: str) -> bool:
    """Return whether a repository's address has an owner, so that links to it can work."""
    return f"github.com/{PLACEHOLDER}/" not in url


def set_address(address: str) -> list[Path]:
    """Set the repository's address in all files that name it; return the files that changed.

    Raises ParameterError for a text that is no address of a repository on GitHub, which is where
    Colab opens notebooks from, and OSError if a file cannot be written. The old address is read
    from `_config.yml`, which is written last, so that the same call then changes the other files.
    """
    address = address.strip().removesuffix("/").removesuffix(".git")
    if not (match := re.fullmatch(ADDRESS, address)) or match[2] in (".", ".."):
        raise errors.ParameterError(
            f"the address of a repository on GitHub is https://github.com/NAME/REPOSITORY, "
            f"got {address!r}; Colab opens notebooks from there only"
        )
    root = paths.root()
    repository = yaml.safe_load((root / "_config.yml").read_text())["repository"]
    old = "/".join(repository["url"].split("/")[-2:])
    slug = f"{match[1]}/{match[2]}"
    texts = {}
    book = (root / "book").glob("*.*")
    for path in [*map(root.joinpath, FILES), *book, root / "_config.yml"]:
        if path.suffix in (".py", ".ipynb", ".md", ".yml", ".cff", ".toml") and path.exists():
            text = path.read_text()
            texts[path] = re.sub(rf"(?<=github\.com/){re.escape(old)}(?![\w-])", slug, text)
    readme = root / "README.md"
    texts[readme] = re.sub(
        r"^(\| \[(\d\d_\w+)\]\(book/\2\.py\) \| .* \| )(.*) \|$",
        lambda row: f"{row[1]}{badge(row[2], slug, repository['branch'])} |",
        texts[readme],
        flags=re.MULTILINE,
    )
    changed = {path: text for path, text in texts.items() if text != path.read_text()}
    for path, text in changed.items():
        files.write(path, text)
    return list(changed)


def badge(stem: str, slug: str, tag: str) -> str:
    """Return the cell of the README that opens a chapter in Colab, or says how to run it."""
    form = BADGE if has_owner(f"https://github.com/{slug}") else NOT_OPEN
    return form.format(stem=stem, slug=slug, tag=tag)
