"""What is measured along training: single tables are further from every reference than averages."""

import pytest
import torch

from lexurn import evaluation, models, tasks
from lexurn.base.seeding import generator
from lexurn.predictors import Average, PerSequencePredictor, cache_predictions
from lexurn.settings.resolver import check


@pytest.fixture(scope="module")
def scene():
    """Return an untrained lexical model, references and splits."""
    flat = {"lex": True, "vocabulary": "gaussian_scaled", "context_length": 8, "d_model": 16}
    settings = check(flat | {"n_test_samples": 150})
    model = models.build(settings, generator=generator(0, "weights"))
    task = tasks.build(settings)
    splits = task.held_out()
    return model, cache_predictions(task.references(), splits), splits


def excess_of_single(single, average, references, tokens):
    """Return the mean and the standard error of single minus average, by KL from each reference."""
    single, average = (
        evaluation.score_sequences(predictor, references, tokens) for predictor in (single, average)
    )
    return [
        (difference.mean(), difference.std() / len(tokens) ** 0.5)
        for name in references
        for measure in ("kl", "symmetrized_kl")
        for difference in [(single[name, measure] - average[name, measure]).mean(-1)]
    ]


def test_single_tables_are_as_far_as_the_members_of_an_average_and_further_than_it(scene):
    """Jensen: the mean divergence of the members is at least the divergence of their mean.

    One table per sequence estimates the former. Passed off as single tables, the average itself
    would show no difference, and fewer tables would be nearer to more of them.
    """
    model, references, splits = scene
    tokens = splits["out_of_distribution"]
    single = models.as_trained_predictor(model, seed=0)
    average = models.as_predictor(model, n_tables=8, seed=0)
    excess = excess_of_single(single, average, references, tokens)
    assert all(mean > 2 * sem > 0 for mean, sem in excess)
    parts = [lambda batch, i=i: average.predict_each(batch)[i] for i in range(8)]
    members = [excess_of_single(each, average, references, tokens) for each in parts]
    for number, (mean, sem) in enumerate(excess):
        of_members = torch.stack([member[number][0] for member in members])
        assert of_members.mean() >= 0
        error = (sem**2 + of_members.var() / len(of_members)).sqrt()
        assert abs(mean - of_members.mean()) < 4 * error
    fault = excess_of_single(average, average, references, tokens)
    assert not any(mean > 2 * sem > 0 for mean, sem in fault)


def test_means_along_training_are_those_of_the_table(scene):
    model, references, splits = scene
    for predictor in (models.as_trained_predictor(model), models.as_predictor(model, n_tables=2)):
        table = evaluation.evaluate(predictor, references, splits)
        means = evaluation.evaluate_means(predictor, references, splits)
        shown = table[table["measure"].isin(["loss", "symmetrized_kl"])]
        shown = shown[shown["row"].isin(["mean", "last"])]
        assert len(shown) == len(means)
        for line in shown.itertuples():
            parts = [line.split, line.measure, line.reference, "last" * (line.row == "last")]
            assert means["/".join(filter(None, parts))] == pytest.approx(line.mean)


def test_a_split_that_is_predicted_in_batches_has_the_same_tables(scene):
    model, references, splits = scene
    single = models.as_trained_predictor(model)
    whole, batches = (
        evaluation.evaluate_means(single, references, splits, batch_size=size)
        for size in (None, 40)
    )
    assert batches == pytest.approx(whole)
    restarted = PerSequencePredictor(lambda tokens, start: single(tokens))
    assert evaluation.evaluate_means(restarted, references, splits, batch_size=40) != pytest.approx(
        whole
    )


def test_members_of_an_average_are_computed_once_for_a_split(scene):
    model, _, splits = scene
    average = models.as_predictor(model, n_tables=2)
    calls = []

    def predict_each(tokens):
        calls.append(len(tokens))
        return average.predict_each(tokens)

    cached = cache_predictions({"model": Average(predict_each)}, splits)["model"]
    tokens = splits["low_entropy"]
    for _ in range(2):
        assert cached(tokens).equal(average(tokens))
        assert cached.predict_each(tokens).equal(average.predict_each(tokens))
    assert calls == [len(tokens)]
    cached(tokens.clone())
    assert calls == 2 * [len(tokens)]


def test_a_reference_that_excludes_tokens_leaves_regrets():
    """Symmetrized KL is infinite on average, although it is 0 where all strings have ended."""
    settings = check({"language": "aNbN", "context_length": 6, "d_model": 16, "n_test_samples": 40})
    model = models.build(settings, generator=generator(0, "weights"))
    task = tasks.build(settings)
    options = {"measure": task.measure, "first_row": task.first_row}
    means = evaluation.evaluate_means(
        models.as_predictor(model), task.references(), task.held_out(), **options
    )
    assert "in_distribution/regret/oracle" in means
    assert not any("symmetrized_kl" in name for name in means)
