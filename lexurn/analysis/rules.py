"""Rule extrapolation: does a model that is prompted with what begins no word go on so that rule 1 holds?

    completions(model, prompts)        what a model goes on with, greedy or sampled
    judged(language, prompts, tokens)  which rules the words obey, whether they end: a tidy table
    masses(predictor, language)        exact probability of the words that obey both rules, one, or none
    followed(run)                      all of this for one run, along its training: a table that is kept
    by_prompt(run)                     which prompts a run keeps rule 1 on: for intervals over seeds and prompts

Measures are shares of prompts. Of rule 1: `rule_1` (whatever has been said up to the limit), `rule_1_and_finished`
(joint, ended by EOS), and `rule_1_of_finished` (among those that ended, as published). Rule 2, which a prompt may have
broken, is judged on the completion alone. `grammatical`: the whole word, ended, is in the language.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain, product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor

from lexurn import experiment
from lexurn.analysis.chance import by_chance, chance
from lexurn.models import LanguageModel
from lexurn.models.generation import complete, go_on
from lexurn.runs import Run
from lexurn.seeding import generator
from lexurn.shapes import Predictor, Tokens
from lexurn.tasks.languages import LANGUAGES, Language
from lexurn.tasks.prompts import halves, prompts
from lexurn.tasks.words import EOS
from lexurn.uncertainty import crossed, of_few

N_SAMPLES = 1000
"""Sampled completions for each set of prompts, at least: every prompt as often as it takes."""

MOST_LETTERS = {2: 8, 3: 6, 4: 5}
"""Words whose probabilities are added up, by the number of letters: 510, 1092 and 1364 of them."""

MASSES = ("both", "rule_1", "rule_2", "neither")

Words = Int64[Tensor, "batch limit"]
Complete = Callable[[Tokens], Words]


def judged(language: Language, given: Tokens, words: Words) -> pd.DataFrame:
    """Shares of completed prompts: measure, value, n. `words` (batch limit) begin with `given` (batch time)."""
    finished = (words == EOS).any(-1)
    first = language.obeyed(words)[:, 0]
    behind = words[:, given.shape[1] :]
    second = language.obeyed(behind)[:, 1] if behind.shape[1] else torch.ones_like(first)
    of = {
        "rule_1": first,
        "rule_1_and_finished": first & finished,
        "rule_1_of_finished": first[finished],
        "rule_2_of_completion": second,
        "grammatical": language.contains(words) & finished,
        "finished": finished,
    }
    lines = [(name, each.double().mean().item(), len(each)) for name, each in of.items()]
    return pd.DataFrame(lines, columns=["measure", "value", "n"])


def at_once(language: Language, given: Tokens) -> pd.DataFrame:
    """What immediate EOS gets: the baseline of a model that says nothing."""
    ended = torch.cat([given, torch.full((len(given), 1), EOS)], 1)
    return judged(language, given, ended)


def masses(predictor: Predictor, language: Language) -> pd.DataFrame:
    """The exact probability of all short words, by the rules that they obey: measure (`MASSES`), value, n, the words.

    A class names the rules obeyed, and no others; with EOS. What is left of 1 belongs to longer words.
    """
    n_letters = len(language.letters)
    most = MOST_LETTERS[n_letters]
    every = ["".join(word) for n in range(1, most + 1) for word in product(language.letters, repeat=n)]
    tokens = language.encode(every, length=most + 1)
    probs = predictor(tokens).double().gather(-1, tokens[..., None])[..., 0].sum(-1).exp()
    obeyed = language.obeyed(tokens)
    first, second = obeyed[:, 0], obeyed[:, 1]
    classes = (first & second, first & ~second, ~first & second, ~first & ~second)
    lines = [(name, probs[each].sum().item(), int(each.sum())) for name, each in zip(MASSES, classes, strict=True)]
    return pd.DataFrame(lines, columns=["measure", "value", "n"])


def repeated(given: Int64[Tensor, "prompts time"]) -> Int64[Tensor, "times time"]:
    """All prompts, one after the other, and again until they are `N_SAMPLES`."""
    return given.repeat(-(-N_SAMPLES // len(given)), 1)


def prompt_sets(language: str, *, completions: str = "none") -> dict[str, Tokens]:
    """The prompts that a model is asked to go on with. Where training has completed half of those out of distribution,
    they are `trained_on`, and `out_of_distribution` is the other half."""
    sets = prompts(language)
    if completions != "none":
        sets["trained_on"], sets["out_of_distribution"] = halves(sets["out_of_distribution"])
    return sets


def extrapolation(
    language: Language, sets: dict[str, Tokens], greedy: Complete, sampled: Complete | None = None
) -> pd.DataFrame:
    """All sets of prompts gone on with, greedily and perhaps sampled: prompts, decoding, measure, value, n."""
    tables = []
    for name, given in sets.items():
        tables.append(judged(language, given, greedy(given)).assign(prompts=name, decoding="greedy"))
        if sampled is not None:
            often = repeated(given)
            tables.append(judged(language, often, sampled(often)).assign(prompts=name, decoding="sampled"))
    return pd.concat(tables, ignore_index=True)[["prompts", "decoding", "measure", "value", "n"]]


def of_predictor(predictor: Predictor, language: Language, *, limit: int) -> pd.DataFrame:
    """The extrapolation of any predictor: an oracle, the normative one, one's own function."""
    return extrapolation(
        language,
        prompt_sets(language.name),
        lambda given: go_on(predictor, given, limit=limit),
        lambda given: go_on(predictor, given, limit=limit, generator=generator(0, "sampled completions")),
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
    for step, model in chain(run.checkpoints(), [(None, run.model)]):  # one model, step by step other weights
        greedy = partial(completions, model, seed=settings.training.seed)
        table = extrapolation(language, sets, greedy, partial(greedy, sampled=True) if step is None else None)
        mass = masses(experiment.as_predictor(model, settings), language).assign(prompts="words", decoding="exact")
        table = pd.concat([table, mass], ignore_index=True)
        tables.append(table.assign(step=best if step is None else step, best=step is None))
    return pd.concat(tables, ignore_index=True)[["step", "best", "prompts", "decoding", "measure", "value", "n"]]


def by_prompt(run: Run) -> pd.DataFrame:
    """`KEPT` out of distribution at the best weights, prompt by prompt: decoding, prompt (its letters), value (the
    share of its completions, of which one is greedy). The means over prompts are those of `followed`."""
    language = LANGUAGES[run.settings.task.language]
    given = prompt_sets(language.name, completions=run.settings.task.completions)["out_of_distribution"]
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


def over_seeds(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean and t interval over seeds of `value`, for each combination of `by`: mean, low, high, sem, n (seeds)."""
    lines = []
    for of, mine in table.groupby(by, sort=False):
        found = of_few(mine["value"].dropna().tolist())
        lines.append((*of, found.value, found.low, found.high, found.error, found.n))
    return pd.DataFrame(lines, columns=[*by, "mean", "low", "high", "sem", "n"])


KEPT = "rule_1_and_finished"
"""What counts as keeping rule 1, unless said otherwise: a completion that never ends has kept no rule."""


def each_seed(rates: pd.DataFrame) -> pd.DataFrame:
    """Rule 1 out of distribution in three ways, of every run: language, model, what, seed, value.

    `what`: greedy and sampled (`KEPT`, at the best validation loss), and `best ever, finished only`.
    """
    mine = rates[rates["best"] & (rates["prompts"] == "out_of_distribution") & (rates["measure"] == KEPT)]
    ever = best_ever(rates).assign(what="best ever, finished only")
    every = pd.concat([mine.rename(columns={"decoding": "what"}), ever], ignore_index=True)
    return every[["language", "model", "what", "seed", "value"]]


def levels(names: list[str], *, limit: int) -> pd.DataFrame:
    """What is got without a model: language, what (`chance`, `immediate EOS`), value (`KEPT`), n (prompts)."""
    lines = []
    for name in names:
        given = prompts(name)["out_of_distribution"]
        blind = chance(name, given, limit=limit).set_index("measure").loc[KEPT, "value"]
        ended = at_once(LANGUAGES[name], given).set_index("measure").loc[KEPT, "value"]
        lines += [(name, "chance", blind, len(given)), (name, "immediate EOS", ended, len(given))]
    return pd.DataFrame(lines, columns=["language", "what", "value", "n"])


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
            blind = masses(by_chance(LANGUAGES[name]), LANGUAGES[name]).set_index("measure")["value"]
            least[name] = (blind["both"] + blind[rule]) / blind.sum()
        low = share.index.get_level_values("language").map(least).to_numpy(float)
        tables.append(((share - low) / (1 - low)).rename("value").reset_index().assign(rule=rule.replace("_", " ")))
    return pd.concat(tables, ignore_index=True)
