"""Does rule 1, learned on prompts of one language, carry over to another one?

Models of `aNbN_cNdN` learn two languages at once, the same strings in two alphabets. Training may
complete prompts of the first alphabet alone. Models are asked about the same prompts, which no
training sees, in both alphabets.

    rates_by_alphabet(run)      rule 1 prompt by prompt, in each alphabet
    carried_over(rates)         rates with completed prompts minus rates without
"""

from functools import partial

import pandas as pd

from lexurn.chapters.rules.extrapolation import Complete, complete_prompts
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER
from lexurn.runs.run import Run

LANGUAGE = LANGUAGES["aNbN_cNdN"]

ALPHABETS = {"a, b": 0, "c, d": 2}
"""The number of the first letter of each alphabet, in the order of training's completions."""


def rates_by_alphabet(run: Run) -> pd.DataFrame:
    """Return `completion_rates` of a run's greedy completions."""
    seed = run.settings.training.seed
    return completion_rates(partial(complete_prompts, run.model, seed=seed))


def completion_rates(complete: Complete) -> pd.DataFrame:
    """Return whether completions keep rule 1 on the prompts that no training completes.

    A completion keeps it if it ends, obeys rule 1, and has no letter of the other alphabet.
    Columns: alphabet, prompt, value (1.0 or 0.0), foreign (whether there is such a letter).
    """
    _, unseen = split_prompts(prompts(LANGUAGE.name)["out_of_distribution"])
    tables = []
    for name, first_letter in ALPHABETS.items():
        given = unseen + first_letter
        strings = complete(given)
        letters = strings - FIRST_LETTER
        is_own = (letters >= first_letter) & (letters < first_letter + 2)
        is_foreign = ((letters >= 0) & ~is_own).any(-1)
        is_kept = LANGUAGE.obeys_rules(strings)[:, 0] & (strings == EOS).any(-1) & ~is_foreign
        columns = {"alphabet": name, "prompt": LANGUAGE.decode(given)}
        columns |= {"value": is_kept.double().tolist(), "foreign": is_foreign.double().tolist()}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def carried_over(rates: pd.DataFrame) -> pd.DataFrame:
    """Return by how much completed prompts change the rate in each alphabet.

    `rates` is a grid's table of `rates_by_alphabet`, whose axis `given` is `none` for models
    without completed prompts. Columns: given, model, alphabet, seed, value (a difference).
    """
    keys = ["model", "alphabet", "seed"]
    means = rates.groupby(["given", *keys], sort=False)["value"].mean().reset_index()
    without = means[means["given"] == "none"].drop(columns="given")
    pairs = means[means["given"] != "none"].merge(without, on=keys, suffixes=("", "_without"))
    pairs["value"] -= pairs.pop("value_without")
    return pairs[["given", *keys, "value"]]


def forecast_values(rates: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the values by seed of the forecasts `rules/<name>`."""
    keys = ["model", "alphabet", "seed"]
    given = rates[rates["given"] != "none"].groupby(keys, sort=False)["value"].mean()
    first, second = ALPHABETS
    carried = carried_over(rates).set_index(keys).sort_index()["value"]
    names = {"rotary": "rotary", "learned": "transformer", "lstm": "lstm"}
    values = {"two_alphabets_rotary_first": given.sort_index().loc["rotary", first]}
    for name, model in names.items():
        values[f"two_alphabets_{name}_carried"] = carried.loc[model, second]
    return values
