"""How much there is to learn of a language, and how much of it a run has learned."""

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.chapters.rules.string_probs import string_entropy
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
            word, length = string_entropy(exact)
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
    """Return what the best weights lose more than each reference on each split, in nats per string:
    split, reference, value, sem, n (strings)."""
    n_rows = run.settings.task.context_length + 1
    return evaluation.regret_per_sequence(run.results, n_rows=n_rows)


def by_row(run: Run, *, reference: str = "relabelled") -> pd.DataFrame:
    """With the best weights, what a model loses more than a reference at each row: row, value, sem (over words). Words
    are relabelled where training had such."""
    table = run.results
    split = "relabelled" if run.settings.task.label_permuted else "in_distribution"
    mine = table[(table["split"] == split) & (table["reference"] == reference)]
    mine = mine[(mine["measure"] == "regret") & ~mine["row"].isin(["mean", "last"])]
    return pd.DataFrame({"row": mine["row"].astype(int), "value": mine["mean"], "sem": mine["sem"]})
