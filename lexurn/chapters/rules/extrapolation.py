"""Rule extrapolation: does a model that is prompted with what begins no word go on so that rule 1 holds?

    completions(model, prompts)        what a model goes on with, greedy or sampled
    followed(run)                      all of this for one run, along its training: a table that is kept
    by_prompt(run)                     which prompts a run keeps rule 1 on: for intervals over seeds and prompts

What is measured is said in `lexurn.measures.rules`.
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
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import EOS
from lexurn.measures.chance import by_chance
from lexurn.measures.intervals import crossed
from lexurn.measures.rules import KEPT, MASSES, Words, judged, masses, prompt_sets
from lexurn.models import LanguageModel
from lexurn.models.generation import complete, complete_with_predictor
from lexurn.runs import fit
from lexurn.runs.run import Run

N_SAMPLES = 1000
"""Sampled completions for each set of prompts, at least: every prompt as often as it takes."""


Complete = Callable[[Tokens], Words]


def repeated(given: Int64[Tensor, "prompts time"]) -> Int64[Tensor, "times time"]:
    """All prompts, one after the other, and again until they are `N_SAMPLES`."""
    return given.repeat(-(-N_SAMPLES // len(given)), 1)


def extrapolation(
    language: Language, sets: dict[str, Tokens], greedy: Complete, sampled: Complete | None = None
) -> pd.DataFrame:
    """All sets of prompts gone on with, greedily and perhaps sampled: prompts, decoding, measure, value, n."""
    tables = []
    for name, given in sets.items():
        tables.append(
            judged(language, given, greedy(given)).assign(prompts=name, decoding="greedy")
        )
        if sampled is not None:
            often = repeated(given)
            tables.append(
                judged(language, often, sampled(often)).assign(prompts=name, decoding="sampled")
            )
    return pd.concat(tables, ignore_index=True)[["prompts", "decoding", "measure", "value", "n"]]


def of_predictor(predictor: Predictor, language: Language, *, limit: int) -> pd.DataFrame:
    """The extrapolation of any predictor: an oracle, the normative one, one's own function."""
    return extrapolation(
        language,
        prompt_sets(language.name),
        lambda given: complete_with_predictor(predictor, given, limit=limit),
        lambda given: complete_with_predictor(
            predictor, given, limit=limit, generator=generator(0, "sampled completions")
        ),
    )


def completions(model: LanguageModel, given: Tokens, *, seed: int, sampled: bool = False) -> Words:
    """What a model goes on with, greedily or sampled, the same each time that it is asked. A lexical model goes on with
    every prompt under a random table of its own."""
    table = model.vocabulary.draw(len(given), generator=generator(seed, "completions"))
    stream = generator(seed, "sampled completions") if sampled else None
    return complete(model, given, limit=model.context_length + 1, table=table, generator=stream)


def followed(run: Run) -> pd.DataFrame:
    """One run along its training: step, best, prompts, decoding, measure, value, n.

    At every kept step (`n_checkpoints`): greedy completions, and the masses of short words (`prompts` is then `words`).
    At the best step, chosen by validation loss (`best`): sampled completions as well.
    """
    settings = run.settings
    language = LANGUAGES[settings.task.language]
    sets = prompt_sets(language.name, completions=settings.task.completions)
    best = int(run.results["step"].iloc[0])
    tables = []
    for step, model in chain(
        run.checkpoints(), [(None, run.model)]
    ):  # one model, step by step other weights
        greedy = partial(completions, model, seed=settings.training.seed)
        table = extrapolation(
            language, sets, greedy, partial(greedy, sampled=True) if step is None else None
        )
        mass = masses(fit.as_predictor(model, settings), language).assign(
            prompts="words", decoding="exact"
        )
        table = pd.concat([table, mass], ignore_index=True)
        tables.append(table.assign(step=best if step is None else step, best=step is None))
    return pd.concat(tables, ignore_index=True)[
        ["step", "best", "prompts", "decoding", "measure", "value", "n"]
    ]


def by_prompt(run: Run) -> pd.DataFrame:
    """`KEPT` out of distribution at the best weights, prompt by prompt: decoding, prompt (its letters), value (the
    share of its completions, of which one is greedy). The means over prompts are those of `followed`."""
    language = LANGUAGES[run.settings.task.language]
    given = prompt_sets(language.name, completions=run.settings.task.completions)[
        "out_of_distribution"
    ]
    tables = []
    for sampled in (False, True):
        asked = repeated(given) if sampled else given
        words = completions(run.model, asked, seed=run.settings.training.seed, sampled=sampled)
        kept = language.obeyed(words)[:, 0] & (words == EOS).any(-1)
        shares = kept.double().unflatten(0, (-1, len(given))).mean(0)
        table = pd.DataFrame({"prompt": language.decode(given), "value": shares})
        tables.append(table.assign(decoding="sampled" if sampled else "greedy"))
    return pd.concat(tables, ignore_index=True)[["decoding", "prompt", "value"]]


def over_seeds_and_prompts(outcomes: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """`uncertainty.crossed` for each combination of `by`, of a table seed, prompt, value (a share): mean, low and high
    (for seeds and prompts like these, within 0 and 1), over_seeds and over_prompts (the standard errors of each alone),
    n (seeds), prompts (how many)."""
    lines = []
    for of, mine in outcomes.groupby(by, sort=False):
        wide = mine.pivot(index="seed", columns="prompt", values="value")
        if wide.isna().any(axis=None):
            raise ValueError(f"every seed needs every prompt, {' '.join(map(str, of))} lacks some")
        both, seeds, each = crossed(wide.to_numpy())
        low, high = np.clip([both.low, both.high], 0, 1)
        lines.append((*of, both.value, low, high, seeds, each, both.n, wide.shape[1]))
    columns = [*by, "mean", "low", "high", "over_seeds", "over_prompts", "n", "prompts"]
    return pd.DataFrame(lines, columns=columns)


def best_ever(rates: pd.DataFrame, measure: str = "rule_1_of_finished") -> pd.DataFrame:
    """The published protocol: of each run (`model`, `language`, `seed`) the largest greedy rate out of distribution at
    any step, whatever the loss; as published, of those completions that ended. Columns: model, language, seed, step,
    value (NaN where none ever ended), n (prompts that it is a share of)."""
    mine = rates[(rates["measure"] == measure) & (rates["decoding"] == "greedy") & ~rates["best"]]
    mine = mine[mine["prompts"] == "out_of_distribution"]
    best = mine.sort_values(["value", "step"], ascending=[True, False], na_position="first")
    best = best.groupby(["model", "language", "seed"], sort=False).tail(1).sort_index()
    return best[["model", "language", "seed", "step", "value", "n"]].reset_index(drop=True)


def each_seed(rates: pd.DataFrame) -> pd.DataFrame:
    """Rule 1 out of distribution in three ways, of every run: language, model, what, seed, value.

    `what`: greedy and sampled (`KEPT`, at the best validation loss), and `best ever, finished only`.
    """
    mine = rates[
        rates["best"] & (rates["prompts"] == "out_of_distribution") & (rates["measure"] == KEPT)
    ]
    ever = best_ever(rates).assign(what="best ever, finished only")
    every = pd.concat([mine.rename(columns={"decoding": "what"}), ever], ignore_index=True)
    return every[["language", "model", "what", "seed", "value"]]


def progress(rates: pd.DataFrame) -> pd.DataFrame:
    """How far each rule is learned along training: language, model, seed, step, rule (`rule 1`, `rule 2`), value.

    The share of short words' probability that obeys the rule, from 0 where letters and EOS are all alike to 1.
    """
    mine = rates[(rates["prompts"] == "words") & ~rates["best"]]
    keys = ["language", "model", "seed", "step"]
    wide = mine.pivot(index=keys, columns="measure", values="value")
    tables = []
    for rule in ("rule_1", "rule_2"):
        share = (wide["both"] + wide[rule]) / wide[list(MASSES)].sum(axis=1)
        least = {}
        for name in wide.index.unique("language"):
            blind = masses(by_chance(LANGUAGES[name]), LANGUAGES[name]).set_index("measure")[
                "value"
            ]
            least[name] = (blind["both"] + blind[rule]) / blind.sum()
        low = share.index.get_level_values("language").map(least).to_numpy(float)
        tables.append(
            ((share - low) / (1 - low))
            .rename("value")
            .reset_index()
            .assign(rule=rule.replace("_", " "))
        )
    return pd.concat(tables, ignore_index=True)
