"""One trained model in words, whatever it was trained on: where it stands among its references."""

from collections.abc import Mapping

import pandas as pd

from lexurn.base.shapes import Predictor
from lexurn.generators import text
from lexurn.measures import comparison, evaluation
from lexurn.measures.intervals import format_with_error
from lexurn.runs import fit, perplexity
from lexurn.runs.languages import excess
from lexurn.runs.run import Run

MOST_ROWS = 12
"""Of a text that is shown token by token."""


def described(run: Run) -> str:
    """Where the best weights are, how far the model is from each reference, and what it loses against the optimum."""
    best_step = int(run.results["step"].iloc[0])
    if best_step == 0:
        return "Training never came below the loss of the untrained weights; lower learning_rate."
    of = {"text": _of_text, "language": _of_words, "urns": _of_balls}[run.settings.task.name]
    return f"Best weights: step {best_step}. {of(run)}"


def _of_balls(run: Run) -> str:
    best = fit.optimum(run.settings)
    inside = "in_distribution" if run.pool is not None else "out_of_distribution"
    regret = evaluation.select(run.results, split=inside, measure="regret")
    text = comparison.describe(run.predictor, run.references, run.splits)
    text += " " + comparison.describe_scale(run.references, run.splits["out_of_distribution"])
    if best in regret.index:
        lost = format_with_error(*regret.loc[best, ["mean", "sem"]])
        text += f" The optimum on its own kind of data is **{best}**; there this model loses {lost} nats a ball more."
    return text


def _of_words(run: Run) -> str:
    best, table = fit.optimum(run.settings), excess(run)
    lost = [
        f"{format_with_error(value, sem)} on {n} words {split.replace('_', ' ')}"
        for split, value, sem, n in table.loc[
            table["reference"] == best, ["split", "value", "sem", "n"]
        ].values
    ]
    text = f"The best that its kind can do on words of the language is **{best}**. Nats a word that this model loses more:"
    return f"{text} {'; '.join(lost)} (± one standard error over words, for one model)."


def _of_text(run: Run) -> str:
    said = []
    for who, of in perplexity.of_run(run).items():
        bits = format_with_error(of.bits_per_byte, of.bits_per_byte_sem)
        name = "this model" if who == "model" else who
        said.append(
            f"{name} **{format_with_error(of.perplexity, of.perplexity_sem)}** ({bits} bits per byte)"
        )
    return (
        f"The best that can be said of a text is not known. Perplexity of the whole test text, {of.n_tokens:,} tokens: "
        f"{'; '.join(said)} (± one standard error over {of.n_sequences:,} sequences, for one model)."
    )


def along_one_sequence(run: Run, who: Mapping[str, Predictor]) -> tuple[pd.DataFrame, list[str]]:
    """What each predictor says along one held-out sequence (as `evaluation.predict_sequence`), and the names of tokens.

    Of a text some tokens from its middle, and only those that come there.
    """
    tokens = run.splits[shown(run)[1]]
    if run.settings.task.name != "text":
        return evaluation.predict_sequence(who, tokens[:1]), run.settings.task.names
    tokens = tokens[len(tokens) // 2, :MOST_ROWS][None]
    table, come = evaluation.keep_occurring_tokens(evaluation.predict_sequence(who, tokens), tokens)
    tokenizer = text.load(run.settings.task).tokenizer
    return table, [tokenizer.decode([token]).replace(" ", "·").replace("\n", "⏎") for token in come]


def shown(run: Run) -> tuple[list[str], str]:
    """The splits worth a panel each, and the one that a single sequence is taken from."""
    if run.settings.task.name == "text":
        return ["test"], "test"
    if run.settings.task.n_special:
        return list(run.splits), "in_distribution"
    return [
        "in_distribution" if run.pool is not None else "low_entropy",
        "out_of_distribution",
    ], "out_of_distribution"
