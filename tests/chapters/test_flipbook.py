"""A flipbook shows its pages one at a time, with one card for all of them."""

import pandas as pd

from lexurn.chapters.data import plots
from lexurn.chapters.geometry import flipbook
from lexurn.figures import CARD_TYPE

TABLE = pd.DataFrame(
    {"kind": ["a", "a", "b", "b"], "entropy": [0.1, 0.2, 0.3, 1 / 3], "split": ["x", "y", "x", "y"]}
)


def drawn_split(table, axes, *, split):
    return plots.entropies(table[table["split"] == split], axes)


def test_a_flipbook_is_shown_with_its_card():
    text = {"caption": "a caption", "alts": ["x", "y"], "label": "split", "n": "2", "alt": "a"}
    book = flipbook.flipbook(drawn_split, TABLE, each={"split": ["x", "y"]}, **text)
    bundle = book._repr_mimebundle_()
    about = bundle[CARD_TYPE]["about"]
    assert about["caption"] == "a caption" and len(about["pictures"]) == 2
    assert bundle[flipbook.VIEW]["model_id"] == book.box.model_id
    pages = book.box.children[2]
    assert (
        pages.selected_index == 0 and ["alt" in page.value for page in pages.children] == [True] * 2
    )
