"""A language model as a predictor: averaged over embedding tables, or with one for each sequence.

    as_predictor(model)            tokens -> log-probabilities; averaged if the model is lexical
    as_trained_predictor(model)    the same with one random table per sequence, as in training
    loss_as_trained(model, …)      its mean loss

Tables are drawn on the CPU, the same for every device of the model and at every call. Predictions
are made in evaluation mode and are on the device of the tokens. The table of a model that is not
lexical is learned, so that all of these are one prediction.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.base import seeding
from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.shapes import LogProbs, Predictor, Tokens, check_tokens
from lexurn.models.language_model import LanguageModel, evaluating
from lexurn.predictors import Average, PerSequencePredictor

BATCH_SIZE = 64
"""Sequences that are predicted together."""

GPU_BATCH_SIZE = 8 * BATCH_SIZE
"""Sequences that are predicted together, each with a table of its own, on any other device: there
a batch of this size takes about as long as a smaller one."""


def as_predictor(
    model: LanguageModel,
    *,
    n_tables: int = 1,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    n_stacked: int | None = None,
) -> Predictor:
    """Return the model as a predictor, a function of the tokens alone.

    A lexical model is an `Average` over `n_tables` tables, drawn from `seed` and shared by all
    sequences, so that a prediction does not depend on the other sequences of a batch. A batch has
    `n_stacked` tables: by default one on a CPU, where a shared table saves time, and all of them on
    a GPU, where fewer and larger batches do.
    """
    if not model.vocabulary.is_random:
        return lambda tokens: _predict(model, tokens, batch_size=batch_size)[0]
    stream = seeding.generator(seed, "evaluation tables")
    tables = model.vocabulary.draw(n_tables, generator=stream).to(model.device)
    stacks = tables.split(n_stacked or (1 if model.device.type == "cpu" else n_tables))
    return Average(
        lambda tokens: torch.cat(
            [_predict(model, tokens, stack, batch_size=batch_size) for stack in stacks]
        )
    )


def as_trained_predictor(
    model: LanguageModel, *, seed: int = 0, new_tables: bool = False
) -> Predictor:
    """Return the model as a predictor that reads each sequence with one table, as in training.

    With `new_tables`, these are tables that training never uses: of new alphabets, or in place of
    the tables that its sequences share. A lexical model is a `PerSequencePredictor`: sequence i of
    a split has table i of the `seed`, whatever the other sequences are. Any other model is its
    `as_predictor`.
    """
    if not model.vocabulary.is_random:
        return as_predictor(model)

    draw = model.vocabulary.draw_new if new_tables else model.vocabulary.draw

    def predict(tokens: Tokens, start: int) -> LogProbs:
        check_tokens(tokens, model.vocab_size)
        blocks = range(start // BATCH_SIZE, (start + len(tokens) - 1) // BATCH_SIZE + 1)
        streams = [seeding.generator(seed, "single tables", block) for block in blocks]
        tables = torch.cat([draw(BATCH_SIZE, generator=each) for each in streams])
        tables = tables[start - blocks[0] * BATCH_SIZE :][: len(tokens)].to(model.device)
        size = _batch_size(model)
        parts = tokens.to(model.device).split(size), tables.split(size)
        with evaluating(model):
            log_probs = [model(batch, table=table) for batch, table in zip(*parts, strict=True)]
        return as_double(torch.cat(log_probs).to(tokens.device))

    return PerSequencePredictor(predict)


def _predict(
    model: LanguageModel,
    tokens: Tokens,
    tables: Float[Tensor, "tables symbols d_model"] | None = None,
    *,
    batch_size: int,
) -> Float[Tensor, "tables batch time vocab"]:
    """Return the predictions under each table; under the learned table, there is one."""
    check_tokens(tokens, model.vocab_size)
    n_tables = 1 if tables is None else len(tables)
    batches = []
    with evaluating(model):
        for batch in tokens.to(model.device).split(batch_size):
            table = tables
            if n_tables > 1:
                batch = batch.repeat(n_tables, 1)
                table = tables.repeat_interleave(len(batch) // n_tables, 0)
            log_probs = model(batch, table=table)
            batches.append(log_probs.unflatten(0, (n_tables, -1)))
    return as_double(torch.cat(batches, 1).to(tokens.device))


def loss_as_trained(
    model: LanguageModel,
    tokens: Tokens,
    *,
    seed: int,
    first_row: int = 1,
) -> float:
    """Return the mean −log p over rows from `first_row` on, in nats.

    Every sequence has one random table, as in training; it is the same at every call and on every
    device.
    """
    stream = seeding.generator(seed, "validation tables")
    total = 0.0
    with evaluating(model):
        for batch in tokens.to(model.device).split(_batch_size(model)):
            sizes = map(len, batch.split(BATCH_SIZE))
            tables = [model.vocabulary.draw(size, generator=stream) for size in sizes]
            table = torch.cat(tables).to(model.device) if model.vocabulary.is_random else None
            losses = negative_log_likelihood(model(batch, table=table), batch)
            total += losses[:, first_row:].mean(-1).sum()
    return float(total) / len(tokens)


def _batch_size(model: LanguageModel) -> int:
    return BATCH_SIZE if model.device.type == "cpu" else GPU_BATCH_SIZE
