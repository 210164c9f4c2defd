"""`lexurn evaluate`: score stored models of text on their test texts."""

import click


@click.command()
@click.argument("conditions", nargs=-1, metavar="[CONDITION]...")
@click.option("--csv", "is_csv", is_flag=True, help="As CSV, in full precision.")
def evaluate(conditions: tuple[str, ...], is_csv: bool) -> None:
    """Score all stored text models that meet the conditions: perplexity and bits per byte.

    A condition compares a setting with a value, as in `lexurn runs`; for all models of text it is
    task=text. Every token of the test text is predicted once, by the weights with the least
    validation loss. Perplexities compare models of one tokenizer, bits per byte all of them; below
    the models of each text stand counts of its single tokens and of pairs. Runs that were published
    without weights are left out.
    """
    import pandas as pd

    from lexurn import runs
    from lexurn.cli import selection
    from lexurn.measures import perplexity
    from lexurn.runs import fit, store
    from lexurn.tasks.text import TextTask

    table = runs.table()
    for condition in conditions:
        table = selection.filter_runs(table, condition)
    selected = [runs.load(name) for name in table["name"]]
    selected = [run for run in selected if (run.path / store.WEIGHTS).exists()]
    parts = []
    references = {}
    for run in selected:
        if not isinstance(run.task, TextTask):
            continue
        options = {"batch_size": fit.eval_batch_size(run.task)}
        run.require_data()
        name = run.path.name
        parts.append(perplexity.of_task(run.task, {name: run.predictor}, **options))
        if run.settings.task not in references:
            label = run.settings.task.label
            counted = {f"{key} of {label}": rule for key, rule in run.references.items()}
            references[run.settings.task] = perplexity.of_task(run.task, counted, **options)
    if not parts:
        raise click.ClickException("no stored model of text with weights meets these conditions")
    scores = pd.concat([*parts, *references.values()], ignore_index=True)
    columns = {"who": "model", "nats": "nats", "sem": "sem", "perplexity": "perplexity"}
    columns |= {"bits_per_byte": "bits/byte", "n_tokens": "tokens"}
    scores = scores[[*columns]].rename(columns=columns)
    text = scores.to_csv(index=False) if is_csv else scores.round(4).to_string(index=False)
    click.echo(text.removesuffix("\n"))
