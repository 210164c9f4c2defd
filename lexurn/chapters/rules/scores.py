"""What a grid of the published languages is scored by, right after a point is trained."""

from functools import partial

import pandas as pd

from lexurn.chapters.rules import languages
from lexurn.chapters.rules.extrapolation import complete_prompts, completion_rates, prompts_of
from lexurn.generators.languages import LANGUAGES
from lexurn.runs.run import Run

MEASURES = ("rule_1_and_finished", "rule_2_and_finished", "finished", "grammatical")
"""Shares of all prompts; a completion that does not end obeys no rule."""


def rule_scores(run: Run) -> pd.DataFrame:
    """Return what the best weights of a run lose more than the oracle, and which rules they obey.

    Columns: step, split, decoding, reference, measure, mean, sem, n. The measure `excess` is in
    nats per string of a split, and n counts strings. The other measures are `MEASURES` of greedy
    and sampled completions; their split is a set of prompts, and n counts completions. Rates have
    no sem, because seeds differ more than completions do.
    """
    settings = run.settings
    greedy = partial(complete_prompts, run.model, seed=settings.training.seed)
    rates = completion_rates(
        LANGUAGES[settings.task.language], prompts_of(run), greedy, partial(greedy, sampled=True)
    )
    rates = rates[rates["measure"].isin(MEASURES)].rename(columns={"prompts": "split"})
    excess = languages.excess(run).assign(measure="excess")
    table = pd.concat([excess, rates], ignore_index=True).rename(columns={"value": "mean"})
    columns = ["step", "split", "decoding", "reference", "measure", "mean", "sem", "n"]
    return table.assign(step=run.results["step"].iloc[0])[columns]
