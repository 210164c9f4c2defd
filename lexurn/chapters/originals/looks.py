"""The best value over training, of finished completions only.

A rate that is the largest of many looks is above the rate of a typical look, also if nothing but
noise changes from look to look. And a rate among finished completions can rise because fewer
completions end. `rules.best_of_looks` and `rules.extrapolation` have the rates of trained models.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lexurn.chapters.rules import best_of_looks
from lexurn.measures.rules import MAIN_MEASURE


def best_of_noise(rate: float, n_prompts: int, looks: list[int]) -> pd.DataFrame:
    """Return the expected largest of k rates if only chance varies: looks, mean.

    Every look has a binomial share of `n_prompts` prompts with the same true `rate`. Exact: the sum
    over shares x of P(largest ≥ x).
    """
    counts = np.arange(n_prompts + 1)
    below = stats.binom(n_prompts, rate).cdf(counts)
    means = [(1 - below[:-1] ** k).sum() / n_prompts for k in looks]
    return pd.DataFrame({"looks": looks, "mean": means})


def best_of_models(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the expected best of 1, 2, … looks over seeds: model, looks, mean, sem.

    `rates` is `rules.extrapolation.rates_along_training` with language, model and seed.
    """
    table = best_of_looks.expected_best(rates).groupby(["model", "looks"], sort=False)["value"]
    return table.agg(["mean", "sem"]).reset_index()


def best_pairs(rates: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per model and seed: the best of all looks among finished, and what we report.

    `corrected` is the share of *all* prompts with rule 1 kept, at the step with the least
    validation loss.
    """
    best = best_of_looks.expected_best(rates)
    best = best[best["looks"] == best["looks"].max()].set_index(["model", "seed"])["value"]
    is_ours = rates["best"] & (rates["measure"] == MAIN_MEASURE) & (rates["decoding"] == "greedy")
    ours = rates[is_ours & (rates["prompts"] == "out_of_distribution")]
    both = pd.DataFrame(
        {"published": best, "corrected": ours.set_index(["model", "seed"])["value"]}
    )
    both = both.dropna().reset_index()
    return both.assign(unit=both["model"] + " " + both["seed"].astype(str))


def sampled_lead(rates: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Return by how much one model keeps rule 1 on more prompts than another, per seed.

    Shares are of all prompts, with sampled completions, at the step with the least validation loss.
    """
    kept = rates[rates["best"] & (rates["decoding"] == "sampled")]
    kept = kept[(kept["prompts"] == "out_of_distribution") & (kept["measure"] == MAIN_MEASURE)]
    wide = kept.pivot(index="seed", columns="model", values="value")
    return wide[first] - wide[second]


def finished_pairs(rates: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per model and seed at one step: rule 1 among finished, and among all prompts."""
    kept = rates[rates["best"] & (rates["decoding"] == "greedy")]
    kept = kept[kept["prompts"] == "out_of_distribution"]
    wide = kept.pivot(index=["model", "seed"], columns="measure", values="value").reset_index()
    names = {"rule_1_of_finished": "published", MAIN_MEASURE: "corrected"}
    both = wide.rename(columns=names).dropna(subset=["published"])
    both["unit"] = both["model"] + " " + both["seed"].astype(str)
    return both[["unit", "published", "corrected"]].reset_index(drop=True)
