"""How much there is to learn of a language, and how much of it a run has learned."""

from math import isfinite

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import string_lengths
from lexurn.measures import evaluation
from lexurn.predictors.grammars import CountingOracle, oracle
from lexurn.runs.run import Run

N_WORDS = 2000
"""Words that an entropy without a closed form is a mean over."""


def entropies(names: list[str], *, max_length: int) -> pd.DataFrame:
    """What an oracle loses, in nats: language, max_length, word, sem, position, original, n.

    `word`: per word with its EOS; `position`: per letter or EOS; `original`: per row of a padded sequence, which is the
    convention of the originals. Exact (n and sem are 0) where there is a closed form, else a mean over n drawn words.
    """
    lines = []
    for name in names:
        exact, n, sem = oracle(name, max_length=max_length), 0, 0.0
        if isinstance(exact, CountingOracle):
            word, length = exact.entropy()
        else:
            tokens = LANGUAGES[name].sample(
                N_WORDS, max_length=max_length, generator=generator(0, "entropy", name)
            )
            lost = -exact(tokens).gather(-1, tokens[..., None])[..., 0].sum(-1)
            word, length, n = (
                lost.mean().item(),
                string_lengths(tokens).double().mean().item(),
                N_WORDS,
            )
            sem = lost.std().item() / n**0.5
        lines.append((name, max_length, word, sem, word / (length + 1), word / (max_length + 1), n))
    return pd.DataFrame(
        lines, columns=["language", "max_length", "word", "sem", "position", "original", "n"]
    )


def learning(
    run: Run, *, reference: str = "oracle", split: str = "in_distribution"
) -> pd.DataFrame:
    """Along a run's training, what its model loses more than a reference, in nats a word: step, value."""
    n_rows = run.settings.task.context_length + 1
    value = n_rows * run.metrics[f"{split}/regret/{reference}"]
    return pd.DataFrame({"step": run.metrics["step"], "value": value})


def excess(run: Run) -> pd.DataFrame:
    """The same with the best weights, for every split and reference: split, reference, value, sem, n (words).

    Left out is what a reference holds for impossible: words longer than those it was made for.
    """
    n_rows, table = run.settings.task.context_length + 1, run.results
    lines = []
    for split in table["split"].unique():
        chosen = evaluation.select(table, split=split, measure="regret")
        for reference, mean, sem, n in chosen.itertuples():
            if isfinite(mean):
                lines.append((split, reference, n_rows * mean, n_rows * sem, n))
    return pd.DataFrame(lines, columns=["split", "reference", "value", "sem", "n"])


def by_row(run: Run, *, reference: str = "relabelled") -> pd.DataFrame:
    """With the best weights, what a model loses more than a reference at each row: row, value, sem (over words). Words
    are relabelled where training had such."""
    table = run.results
    split = "relabelled" if run.settings.task.label_permuted else "in_distribution"
    mine = table[(table["split"] == split) & (table["reference"] == reference)]
    mine = mine[(mine["measure"] == "regret") & ~mine["row"].isin(["mean", "last"])]
    return pd.DataFrame({"row": mine["row"].astype(int), "value": mine["mean"], "sem": mine["sem"]})
