"""A tokenizer that is called BPE and merges nothing, and that replaces what it does not know.

It looks every word up as a whole, and spells a word that it does not find letter by letter. A
letter that it does not find becomes a question mark, without a warning. Spaces between words are
lost. A byte pair encoding merges pairs, knows every byte, and gives the text back.
"""

import pandas as pd

from lexurn.generators import corpora
from lexurn.generators.text import Text, Tokenizer
from lexurn.settings import Settings

UNKNOWN = "?"

MIN_WORDS = 5
"""The least number of words of a line that is encoded."""


def encode_words(text: str, pieces: set[str]) -> list[str]:
    """Return the pieces of a text: whole words that are known, and else single letters."""
    found = []
    for word in text.split():
        if word in pieces:
            found.append(word)
        else:
            found += [letter if letter in pieces else UNKNOWN for letter in word]
    return found


def known_pieces(tokenizer: Tokenizer) -> set[str]:
    """Return the pieces of a tokenizer that are text by themselves."""
    return {piece.decode(errors="ignore") for piece in tokenizer.pieces} - {""}


def piece_counts(tokenizer: Tokenizer, texts: list[str]) -> pd.DataFrame:
    """Return pairs per text: tokens per word of the look-up, and of the byte pair encoding."""
    pieces = known_pieces(tokenizer)
    rows = []
    for number, text in enumerate(texts):
        n_words = len(text.split())
        looked_up, merged = len(encode_words(text, pieces)), len(tokenizer.encode(text))
        rows.append((number, looked_up / n_words, merged / n_words))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])


def restored(tokenizer: Tokenizer, texts: list[str]) -> pd.DataFrame:
    """Return pairs per text: whether decoding gives the text back (1 or 0), in both."""
    pieces = known_pieces(tokenizer)
    rows = [
        (
            number,
            float("".join(encode_words(text, pieces)) == text),
            float(tokenizer.decode(tokenizer.encode(text)) == text),
        )
        for number, text in enumerate(texts)
    ]
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])


def distinct_encodings(tokenizer: Tokenizer, words: list[str]) -> pd.DataFrame:
    """Return a pair: how many of different words remain different after encoding, in both."""
    pieces = known_pieces(tokenizer)
    looked_up = {tuple(encode_words(word, pieces)) for word in words}
    merged = {tuple(tokenizer.encode(word)) for word in words}
    return pd.DataFrame(
        {"unit": ["words"], "published": [len(looked_up)], "corrected": [len(merged)]}
    )


def of_corpus(settings: Settings, n_texts: int) -> tuple[Tokenizer, list[str]]:
    """Return the tokenizer of these settings, and lines of their test text with several words."""
    lines = corpora.read(settings.task.corpus, "test").splitlines()
    texts = [line for line in lines if len(line.split()) >= MIN_WORDS]
    return Text(settings.task).tokenizer, texts[:n_texts]
