"""Rule extrapolation: does rule 1 hold in completions of prompts that already break rule 2?

    complete_prompts(model, prompts)   greedy or sampled completions
    rates_along_training(run)          all rates of one run along training: a table that is cached
    rates_by_prompt(run)               rule 1 prompt by prompt, for intervals over seeds and prompts

The measures are defined in `lexurn.measures.rules` and `lexurn.chapters.rules.masses`.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd
from jaxtyping import Int64
from torch import Tensor

from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.chapters.rules.completion import complete
from lexurn.chapters.rules.masses import MASSES, rule_masses, uniform_strings
from lexurn.chapters.rules.two_way import two_way_interval
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import EOS
from lexurn.measures.rules import (
    MAIN_MEASURE,
    Strings,
    complete_with_predictor,
    judge_completions,
    prompt_sets,
)
from lexurn.models import LanguageModel
from lexurn.runs import fit
from lexurn.runs.run import Run

N_SAMPLES = 1000
"""The smallest number of sampled completions per set of prompts."""

Complete = Callable[[Tokens], Strings]


def repeat_prompts(prompts: Int64[Tensor, "prompts time"]) -> Int64[Tensor, "times time"]:
    """Return the prompts repeated as a whole until there are at least `N_SAMPLES`."""
    return prompts.repeat(-(-N_SAMPLES // len(prompts)), 1)


def completion_rates(
    language: Language, sets: dict[str, Tokens], greedy: Complete, sampled: Complete | None = None
) -> pd.DataFrame:
    """Return the rates of greedy and, if given, sampled completions of all sets of prompts.

    Columns: prompts, decoding, measure, value, n.
    """
    tables = []
    for name, prompts in sets.items():
        table = judge_completions(language, prompts, greedy(prompts))
        tables.append(table.assign(prompts=name, decoding="greedy"))
        if sampled is not None:
            repeated = repeat_prompts(prompts)
            table = judge_completions(language, repeated, sampled(repeated))
            tables.append(table.assign(prompts=name, decoding="sampled"))
    return pd.concat(tables, ignore_index=True)[["prompts", "decoding", "measure", "value", "n"]]


def predictor_rates(predictor: Predictor, language: Language, *, limit: int) -> pd.DataFrame:
    """Return the completion rates of any predictor, such as an oracle or a function of the user."""
    return completion_rates(
        language,
        prompt_sets(language.name),
        lambda prompts: complete_with_predictor(predictor, prompts, limit=limit),
        lambda prompts: complete_with_predictor(
            predictor, prompts, limit=limit, generator=generator(0, "sampled completions")
        ),
    )


def prompts_of(run: Run) -> dict[str, Tokens]:
    """Return the sets of prompts of a run's language, split as its training was."""
    task = run.settings.task
    return prompt_sets(
        task.language,
        completions=task.completions,
        n_completed=task.n_completed,
        seed=run.settings.training.seed,
    )


def complete_prompts(
    model: LanguageModel, prompts: Tokens, *, seed: int, sampled: bool = False
) -> Strings:
    """Return the greedy or sampled completions of a model; equal arguments give equal completions.

    A lexical model completes every prompt under a random table of its own.
    """
    table = model.vocabulary.draw(len(prompts), generator=generator(seed, "completions"))
    stream = generator(seed, "sampled completions") if sampled else None
    return complete(model, prompts, limit=model.context_length + 1, table=table, generator=stream)


def rates_along_training(run: Run) -> pd.DataFrame:
    """Return the completion rates of one run: step, best, prompts, decoding, measure, value, n.

    Every checkpoint (`n_checkpoints`) has greedy completions and the masses of short strings, whose
    `prompts` is `words`. The weights with the best validation loss (`best`) also have sampled
    completions.
    """
    settings = run.settings
    language = LANGUAGES[settings.task.language]
    sets = prompts_of(run)
    best_step = int(run.results["step"].iloc[0])
    tables = []
    # The checkpoints share one model, whose weights change from step to step.
    for step, model in chain(run.checkpoints(), [(None, run.model)]):
        is_best = step is None
        greedy = partial(complete_prompts, model, seed=settings.training.seed)
        sampled = partial(greedy, sampled=True) if is_best else None
        rates = completion_rates(language, sets, greedy, sampled)
        mass = rule_masses(fit.as_predictor(model, settings), language).assign(
            prompts="words", decoding="exact"
        )
        table = pd.concat([rates, mass], ignore_index=True)
        tables.append(table.assign(step=best_step if is_best else step, best=is_best))
    columns = ["step", "best", "prompts", "decoding", "measure", "value", "n"]
    return pd.concat(tables, ignore_index=True)[columns]


def rates_by_prompt(run: Run) -> pd.DataFrame:
    """Return the rate `MAIN_MEASURE` of each out-of-distribution prompt with the best weights.

    Columns: decoding, prompt (its letters), value (a share of one greedy or several sampled
    completions). The means over prompts are those of `rates_along_training`.
    """
    language = LANGUAGES[run.settings.task.language]
    prompts = prompts_of(run)["out_of_distribution"]
    tables = []
    for decoding in ("greedy", "sampled"):
        sampled = decoding == "sampled"
        repeated = repeat_prompts(prompts) if sampled else prompts
        strings = complete_prompts(
            run.model, repeated, seed=run.settings.training.seed, sampled=sampled
        )
        is_kept = language.obeys_rules(strings)[:, 0] & (strings == EOS).any(-1)
        shares = is_kept.double().unflatten(0, (-1, len(prompts))).mean(0)
        columns = {"decoding": decoding, "prompt": language.decode(prompts), "value": shares}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def crossed_intervals(rates: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return intervals over seeds and prompts for each combination of the columns `by`.

    `rates`: seed, prompt, value (a share), and the columns `by`. The result has mean, low and high
    (for other seeds and prompts like these, clipped to 0 … 1), over_seeds and over_prompts (the
    standard error of each alone), n (the number of seeds), and prompts (the number of prompts).
    Raises ValueError if a seed lacks a prompt. The method is `lexurn.measures.intervals.crossed`.
    """
    rows = []
    for key, group in rates.groupby(by, sort=False):
        wide = group.pivot(index="seed", columns="prompt", values="value")
        if wide.isna().any(axis=None):
            raise ValueError(
                f"every seed needs every prompt, but {' '.join(map(str, key))} lacks some; "
                "use runs with the same prompts"
            )
        interval, over_seeds, over_prompts = two_way_interval(wide.to_numpy())
        low, high = np.clip([interval.low, interval.high], 0, 1)
        errors = (over_seeds, over_prompts)
        rows.append((*key, interval.value, low, high, *errors, interval.n, wide.shape[1]))
    columns = [*by, "mean", "low", "high", "over_seeds", "over_prompts", "n", "prompts"]
    return pd.DataFrame(rows, columns=columns)


def best_rates(rates: pd.DataFrame, measure: str = "rule_1_of_finished") -> pd.DataFrame:
    """Return each run's largest greedy out-of-distribution rate at any step, whatever its loss.

    This is the published protocol; the published rates are of completions that ended. Columns:
    model, language, seed, step, value (NaN if no completion ever ended), n (the number of prompts
    in the denominator).
    """
    greedy = rates[(rates["measure"] == measure) & (rates["decoding"] == "greedy") & ~rates["best"]]
    greedy = greedy[greedy["prompts"] == "out_of_distribution"]
    best = greedy.sort_values(["value", "step"], ascending=[True, False], na_position="first")
    best = best.groupby(["model", "language", "seed"], sort=False).tail(1).sort_index()
    return best[["model", "language", "seed", "step", "value", "n"]].reset_index(drop=True)


def rates_by_seed(rates: pd.DataFrame) -> pd.DataFrame:
    """Return three out-of-distribution rates of rule 1 per run: language, model, what, seed, value.

    `what` is `greedy` or `sampled` (`MAIN_MEASURE`, at the best validation loss), or
    `best ever, finished only` (`best_rates`).
    """
    is_outside = rates["prompts"] == "out_of_distribution"
    by_loss = rates[rates["best"] & is_outside & (rates["measure"] == MAIN_MEASURE)]
    by_loss = by_loss.rename(columns={"decoding": "what"})
    best = best_rates(rates).assign(what="best ever, finished only")
    table = pd.concat([by_loss, best], ignore_index=True)
    return table[["language", "model", "what", "seed", "value"]]


def rule_progress(rates: pd.DataFrame) -> pd.DataFrame:
    """Return how far each rule is learned along training: language, model, seed, step, rule, value.

    `rule` is `rule 1` or `rule 2`. The value is the share of the probability of short strings that
    obeys the rule, rescaled so that 0 is the uniform predictor and 1 is a rule that always holds.
    """
    mass = rates[(rates["prompts"] == "words") & ~rates["best"]]
    keys = ["language", "model", "seed", "step"]
    wide = mass.pivot(index=keys, columns="measure", values="value")
    tables = []
    for rule in ("rule_1", "rule_2"):
        share = (wide["both"] + wide[rule]) / wide[list(MASSES)].sum(axis=1)
        chance_shares = {}
        for name in wide.index.unique("language"):
            chance = rule_masses(uniform_strings(LANGUAGES[name]), LANGUAGES[name]).set_index(
                "measure"
            )["value"]
            chance_shares[name] = (chance["both"] + chance[rule]) / chance.sum()
        low = share.index.get_level_values("language").map(chance_shares).to_numpy(float)
        progress = ((share - low) / (1 - low)).rename("value").reset_index()
        tables.append(progress.assign(rule=rule.replace("_", " ")))
    return pd.concat(tables, ignore_index=True)
