"""How much there is to learn of a language, and how much of it a run has learned."""

from math import log

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.chapters.rules.string_probs import count_strings, string_entropy
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import string_lengths
from lexurn.measures import evaluation
from lexurn.predictors.grammars import InterleavedOracle, oracle
from lexurn.runs.run import Run

N_STRINGS = 2000
"""Strings that an entropy without a closed form is a mean over."""

MAX_EXCESS = 0.5 * log(2)
"""The regret, in nats per string, below which a run counts as having learned its language.

It is half of what a parity is worth: a model that does not know whether the number of a's is even
loses up to ln 2 nats per string of baN. In the runs of this book, the regrets leave a gap around it
in every language, so that any limit between 0.3 and 0.5 gives the same answer.
"""


def entropies(names: list[str], max_length: int) -> pd.DataFrame:
    """Return the loss of each language's oracle in nats.

    Columns: language, max_length, word (per string with its EOS), sem, position (per letter or
    EOS), original (per row of a padded sequence, the convention of the originals), n, strings (how
    many there are). Where there is a closed form it is exact, and n and sem are 0; for interleaved
    brackets it is a mean over n drawn strings.
    """
    rows = []
    for name in names:
        exact = oracle(name, max_length=max_length)
        n = 0
        sem = 0.0
        if not isinstance(exact, InterleavedOracle):
            total, length = string_entropy(exact)
        else:
            n = N_STRINGS
            draws = generator(0, "entropy", name)
            tokens = LANGUAGES[name].sample(n, max_length=max_length, generator=draws)
            losses = -exact(tokens).gather(-1, tokens[..., None])[..., 0].sum(-1)
            total = losses.mean().item()
            length = string_lengths(tokens).double().mean().item()
            sem = losses.std().item() / n**0.5
        per_token = (total / (length + 1), total / (max_length + 1))
        rows.append((name, max_length, total, sem, *per_token, n, float(count_strings(exact))))
    columns = ["language", "max_length", "word", "sem", "position", "original", "n", "strings"]
    return pd.DataFrame(rows, columns=columns)


def learning(
    run: Run, *, reference: str = "oracle", split: str = "in_distribution"
) -> pd.DataFrame:
    """Return the regret of a run along its training, in nats per string: step, n_tables, value."""
    n_rows = run.settings.task.context_length + 1
    value = n_rows * run.metrics[f"{split}/regret/{reference}"]
    return run.metrics[["step", "n_tables"]].assign(value=value)


def excess(run: Run) -> pd.DataFrame:
    """Return the regret of the best weights on each split, in nats per string.

    Columns: split, reference, value, sem, n (strings).
    """
    n_rows = run.settings.task.context_length + 1
    return evaluation.regret_per_sequence(run.results, n_rows=n_rows)


def by_row(run: Run, *, reference: str = "relabelled") -> pd.DataFrame:
    """Return the regret of the best weights at each row: row, value, sem (over strings).

    Strings are renamed where training had renamed strings.
    """
    table = run.results_by_row
    split = "relabelled" if run.settings.task.label_permuted else "in_distribution"
    rows = table[(table["split"] == split) & (table["reference"] == reference)]
    rows = rows[(rows["measure"] == "regret") & ~rows["row"].isin(["mean", "last"])]
    return pd.DataFrame({"row": rows["row"].astype(int), "value": rows["mean"], "sem": rows["sem"]})


def has_learned(excess_by_run: pd.DataFrame) -> pd.DataFrame:
    """Return which runs have learned the language that they were trained on.

    `excess_by_run` is the table of `excess`, with the columns language, model and seed. Columns:
    language, model, seed, value (regret to the oracle in distribution), has_learned (value below
    `MAX_EXCESS`).
    """
    table = excess_by_run[excess_by_run["reference"] == "oracle"]
    table = table[table["split"] == "in_distribution"]
    table = table[["language", "model", "seed", "value"]].reset_index(drop=True)
    return table.assign(has_learned=table["value"] < MAX_EXCESS)
