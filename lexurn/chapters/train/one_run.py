"""One trained model in words, whatever it was trained on: where it stands among its references."""

from collections.abc import Mapping
from functools import singledispatch
from math import log

import pandas as pd

from lexurn.base.shapes import Predictor, Tokens
from lexurn.base.wording import format_number, format_with_error
from lexurn.measures import evaluation, perplexity
from lexurn.runs import fit
from lexurn.runs.run import Run
from lexurn.tasks import Task
from lexurn.tasks.text import TextTask

FLOOR = 1e-3
"""Smaller distances, in nats, are called less than this."""

MAX_ROWS = 12
"""Tokens of a text that are shown one by one."""

LETTERS = {"generalizing": " G", "memorizing": " M", "symmetrized": " S"}
"""What readers call the exact predictors of urns."""

PLACES = {
    "out_of_distribution": "on fresh urns",
    "test": "on the test text",
    "in_distribution": "on new sequences like those of the training",
}
"""Where a model is judged, in words, by split."""


def predictor_in_words(name: str) -> str:
    """Return a reference as readers know it, such as `the memorizing predictor M`."""
    return "the oracle" if name == "oracle" else f"the {name} predictor{LETTERS.get(name, '')}"


def _place(run: Run) -> str:
    split = run.task.splits[0]
    return PLACES.get(split, f"on {split.replace('_', ' ')}")


@singledispatch
def _about(task: Task) -> str:
    """Return what the measures of a task mean, where they are not distances."""
    return (
        "The oracle of a formal language is certain of some letters, so distances to it are "
        "infinite. For strings we report *regret*: the loss in excess of the exact next-token law."
        if task.measure == "regret"
        else ""
    )


@_about.register
def _(task: TextTask) -> str:
    return (
        "The best predictor of a text is unknown. This model is compared with predictors that "
        "count tokens and pairs of tokens."
    )


def about_the_measure(run: Run) -> str:
    """Return what readers must know of the measures of this run; nothing for most runs."""
    if "memorizing" in run.references and "symmetrized" not in run.references:
        return "S is left out: it is too slow for so many colours or urns."
    return _about(run.task)


def describe(run: Run) -> str:
    """Return at which step the validation loss is least, and how good the model is there."""
    best_step = int(run.results["step"].iloc[0])
    if best_step == 0:
        return "No step has a smaller loss than the untrained weights. Lower learning_rate."
    return f"The validation loss is least at step {best_step}. {_describe_task(run.task, run)}"


def excess_over_optimum(run: Run) -> tuple[float, float, int] | None:
    """Return how much the model loses more than its optimum, in nats per token.

    It is a mean with its standard error and n (sequences like those of the training). Returns None
    where the optimum is unknown, or where regrets are summed over strings.
    """
    task = run.task
    trained_on = "in_distribution" if "in_distribution" in task.splits else task.splits[0]
    regret = evaluation.select(run.results, split=trained_on, measure="regret")
    if task.measure == "regret" or task.optimum not in regret.index:
        return None
    mean, sem, n = regret.loc[task.optimum, ["mean", "sem", "n"]]
    return float(mean), float(sem), int(n)


@singledispatch
def _describe_task(task: Task, run: Run) -> str:
    """Return how much the model loses more than its optimum, on data like those of its training."""
    if task.measure == "regret":
        return _describe_regrets(task, run)
    excess = excess_over_optimum(run)
    if excess is None:
        return ""
    lost = format_with_error(*excess[:2])
    return (
        "On new sequences like those of the training, the best that this model can become is "
        f"{predictor_in_words(task.optimum)}. There, the model loses {lost} nats per token more "
        f"(± one standard error over {excess[2]} sequences)."
    )


def _describe_regrets(task: Task, run: Run) -> str:
    table = evaluation.regret_per_sequence(run.results, n_rows=run.settings.task.context_length + 1)
    table = table[table["reference"] == task.optimum]
    losses = [
        f"{format_with_error(value, sem)} on {n} sequences {split.replace('_', ' ')}"
        for split, value, sem, n in table[["split", "value", "sem", "n"]].values
    ]
    return (
        f"The best that this model can become is {predictor_in_words(task.optimum)}. Regret of the "
        f"model in nats per sequence: {'; '.join(losses)} (± one standard error over sequences)."
    )


@_describe_task.register
def _(task: TextTask, run: Run) -> str:
    batch_size = fit.eval_batch_size(task)
    predictors = {"this model": run.predictor, **run.references}
    scores = perplexity.of_task(task, predictors, batch_size=batch_size)
    texts = []
    for score in scores.itertuples():
        bits_sem = score.sem * score.n_tokens / log(2) / score.n_bytes
        bits = format_with_error(score.bits_per_byte, bits_sem)
        value = format_with_error(score.perplexity, score.perplexity * score.sem)
        texts.append(f"{score.who} **{value}** ({bits} bits per byte)")
    return (
        "The best predictor of a text is unknown. Perplexity of the whole test text, "
        f"{score.n_tokens:,} tokens: {'; '.join(texts)} (± one standard error over "
        f"{score.n_sequences:,} sequences, for one model)."
    )


def distances(run: Run) -> pd.DataFrame:
    """Return the distance to each reference as a pair (mean, standard error), per split and row."""
    table = run.results[run.results["measure"] == run.task.measure]
    table = table.sort_values("row", ascending=False, kind="stable")  # mean, last
    pairs = list(zip(table["mean"], table["sem"], strict=True))
    return table.assign(value=pairs, split=table["split"].str.replace("_", " ")).pivot_table(
        index=["split", "row"], columns="reference", values="value", aggfunc="first", sort=False
    )


def nearest(run: Run, *, row: str = "mean") -> str:
    """Return the name of the reference that the run is nearest to where a model is judged."""
    results = run.results if row == "mean" else run.results_by_row
    means = evaluation.select(results, split=run.task.splits[0], measure=run.task.measure, row=row)[
        "mean"
    ]
    return str(means.abs().idxmin())  # a regret may be negative


def caption_training(run: Run) -> str:
    """Return what the figure of the training shows, as a sentence."""
    prefix = f"{run.task.splits[0]}/{run.task.measure}/"
    last = run.metrics.iloc[-1]
    ends = {name: float(last[prefix + name]) for name in run.references}
    name = min(ends, key=lambda reference: abs(ends[reference]))
    far = f"less than {FLOOR:g}" if abs(ends[name]) < FLOOR else f"{ends[name]:.2g}"
    measure = "distance" if run.task.measure == "symmetrized_kl" else "regret"
    n = len(run.splits[run.task.splits[0]])
    return (
        f"After {last['step']:.0f} steps, the model is nearest to {predictor_in_words(name)}, "
        f"at a {measure} of {far} nats {_place(run)} (mean over {n} sequences)."
    )


def caption_table(run: Run) -> str:
    """Return what the table of distances shows, as a sentence."""
    return (
        f"The model is nearest to {predictor_in_words(nearest(run))} {_place(run)}. "
        "Nats ± one standard error over sequences; the smallest number in each line is bold."
        + f" Predictions are averaged over {fit.N_TABLES} tables; the curves above use one table."
        * run.settings.vocabulary.lex
    )


def caption_rows(run: Run) -> str:
    """Return on how many rows the reference is nearest that is nearest on average, as a text."""
    name = nearest(run)
    length = run.settings.task.context_length
    n_rows = sum(nearest(run, row=str(row)) == name for row in range(1, length + 1))
    rows = f"every row from 1 to {length}" if n_rows == length else f"{n_rows} of {length} rows"
    return f"The model is nearest to {predictor_in_words(name)} on {rows}, {_place(run)}."


def caption_sequence(along: pd.DataFrame, where: str = "On this sequence,") -> str:
    """Return whose probabilities the model's are most like on one sequence, as a sentence."""
    wide = along.pivot_table(index=["row", "color"], columns="predictor", values="probability")
    model, *references = dict.fromkeys(along["predictor"])
    gaps = {name: float((wide[model] - wide[name]).abs().mean()) for name in references}
    name = min(gaps, key=gaps.__getitem__)
    return (
        f"{where} the model predicts most like {predictor_in_words(name)}: their probabilities "
        f"differ by {format_number(gaps[name])} on average."
    )


def along_one_sequence(
    run: Run, predictors: Mapping[str, Predictor]
) -> tuple[pd.DataFrame, list[str]]:
    """Return what each predictor says along one held-out sequence, and the names of its tokens.

    The table is that of `evaluation.predict_sequence`.
    """
    tokens = run.splits[run.task.splits[0]]
    return _along(run.task, predictors, tokens)


@singledispatch
def _along(
    task: Task, predictors: Mapping[str, Predictor], tokens: Tokens
) -> tuple[pd.DataFrame, list[str]]:
    return evaluation.predict_sequence(predictors, tokens[:1]), task.token_names


@_along.register
def _(
    task: TextTask, predictors: Mapping[str, Predictor], tokens: Tokens
) -> tuple[pd.DataFrame, list[str]]:
    """Return some tokens from the middle of a text, and only those that occur there."""
    tokens = tokens[len(tokens) // 2, :MAX_ROWS][None]
    table = evaluation.predict_sequence(predictors, tokens)
    table, occurring = keep_occurring_tokens(table, tokens)
    tokenizer = task.text.tokenizer
    names = [tokenizer.decode([token]) for token in occurring]
    return table, [name.replace(" ", "·").replace("\n", "⏎") for name in names]


def shown_splits(run: Run) -> list[str]:
    """Return the splits that are worth a panel each."""
    return list(run.splits)[:2]


def keep_occurring_tokens(table: pd.DataFrame, tokens: Tokens) -> tuple[pd.DataFrame, list[int]]:
    """Return the table of `predict_sequence` for the tokens that occur in the sequence, and these.

    The tokens are renumbered in their order of first occurrence.
    """
    occurring = list(dict.fromkeys(tokens[0].tolist()))
    number = {token: index for index, token in enumerate(occurring)}
    rows = table[table["color"].isin(occurring)]
    renumbered = rows.assign(color=rows["color"].map(number), ball=rows["ball"].map(number))
    return renumbered, occurring
