"""One trained model in words, whatever it was trained on: where it stands among its references."""

from lexurn import comparison, evaluation, experiment
from lexurn.analysis.languages import excess
from lexurn.runs import Run
from lexurn.uncertainty import with_error


def described(run: Run) -> str:
    """Where the best weights are, how far the model is from each reference, and what it loses against the optimum."""
    best_step = int(run.results["step"].iloc[0])
    if best_step == 0:
        return "Training never came below the loss of the untrained weights; lower learning_rate."
    about = _of_words(run) if run.settings.task.n_special else _of_balls(run)
    return f"Best weights: step {best_step}. {about}"


def _of_balls(run: Run) -> str:
    best = experiment.optimum(run.settings)
    inside = "in_distribution" if run.pool is not None else "out_of_distribution"
    regret = evaluation.select(run.results, split=inside, measure="regret")
    text = comparison.describe(run.predictor, run.references, run.splits)
    text += " " + comparison.scale(run.references, run.splits["out_of_distribution"])
    if best in regret.index:
        lost = with_error(*regret.loc[best, ["mean", "sem"]])
        text += f" The optimum on its own kind of data is **{best}**; there this model loses {lost} nats a ball more."
    return text


def _of_words(run: Run) -> str:
    best, table = experiment.optimum(run.settings), excess(run)
    lost = [
        f"{with_error(value, sem)} on {n} words {split.replace('_', ' ')}"
        for split, value, sem, n in table.loc[table["reference"] == best, ["split", "value", "sem", "n"]].values
    ]
    text = (
        f"The best that its kind can do on words of the language is **{best}**. Nats a word that this model loses more:"
    )
    return f"{text} {'; '.join(lost)} (± one standard error over words, for one model)."


def shown(run: Run) -> tuple[list[str], str]:
    """The splits worth a panel each, and the one that a single sequence is taken from."""
    if run.settings.task.n_special:
        return list(run.splits), "in_distribution"
    return ["in_distribution" if run.pool is not None else "low_entropy", "out_of_distribution"], "out_of_distribution"
