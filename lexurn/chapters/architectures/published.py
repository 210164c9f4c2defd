"""The published linear model and the published positions, as published and corrected.

Both are defined in `published_models`. They are no models of a run: they are trained here for a
table, and their weights are not stored.
"""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lexurn import models, tasks, training
from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.chapters.architectures.published_models import MASKS, BatchPositions, PositionPairs
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS
from lexurn.measures import rules
from lexurn.measures.rules import complete_with_predictor
from lexurn.runs import fit
from lexurn.settings import Settings
from lexurn.tasks.language import LanguageTask

VOCAB_SIZE = 7
"""Tokens of the published linear model: SOS, EOS, PAD and four letters."""


def train_model(model: nn.Module, settings: Settings) -> nn.Module:
    """Train a model of strings in place, like a run with these settings, to the last step."""
    training.train(
        model,
        fit.training_batches(tasks.build(settings)),
        training.Callbacks(lambda model: {"validation_loss": 0.0}, lambda metrics, step: None),
        settings=settings.replace(eval_every=settings.training.n_steps).training,
        first_row=LanguageTask.first_row,
    )
    return model.eval()


def compare_linear(settings: Settings) -> pd.DataFrame:
    """Train the published linear model with its own mask, without a mask, and with a causal one.

    Columns: model (a name of `MASKS`), parameters, seed, `rule 1` (the share of out-of-distribution
    prompts that are completed without looking ahead and keep rule 1), `EOS at once` (the share with
    immediate EOS), `EOS ever` (the share that ends), excess (nats per string, with the string given
    as a whole).
    """
    language = LANGUAGES[settings.task.language]
    prompts = rules.prompt_sets(settings.task.language)["out_of_distribution"]
    words = tasks.build(settings).held_out()["in_distribution"]
    rows = []
    for name in MASKS:
        model = train_linear(name, settings)
        predictor = _predictor(model)
        completed = complete_with_predictor(predictor, prompts, limit=model.n_rows)
        rates = rules.judge_completions(language, prompts, completed).set_index("measure")["value"]
        new = completed[:, prompts.shape[1] :]
        row = {
            "model": name,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "seed": settings.training.seed,
            "rule 1": rates[rules.MAIN_MEASURE],
            "EOS at once": (new[:, 0] == EOS).double().mean().item(),
            "EOS ever": (new == EOS).any(1).double().mean().item(),
            "excess": _mean_excess(predictor, settings, words),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def train_linear(mask: str, settings: Settings) -> PositionPairs:
    """Return the published linear model, with this mask, trained on the strings of `settings`.

    It has the published vocabulary of `VOCAB_SIZE` tokens, of which strings may use fewer.
    """
    model = PositionPairs(
        VOCAB_SIZE,
        n_rows=settings.task.context_length + 1,
        mask=mask,
        generator=generator(settings.training.seed, "position pairs"),
    )
    train_model(model, settings)
    return model


def dependencies(settings: Settings) -> pd.DataFrame:
    """Return how much the logits of each row depend on each input, for the model with each mask.

    Columns: model, row, input, value: the norm of the gradient of the row's logits with respect to
    the embedded input, after training.
    """
    tokens = tasks.build(settings).held_out()["in_distribution"][:1]
    tables = []
    for name in MASKS:
        values = input_gradients(train_linear(name, settings), tokens)
        wide = pd.DataFrame(values.numpy()).rename_axis("row").reset_index()
        table = wide.melt("row", var_name="input").astype({"input": int})
        tables.append(table.assign(model=name))
    return pd.concat(tables, ignore_index=True)


def input_gradients(model: PositionPairs, tokens: Tokens) -> Float[Tensor, "rows inputs"]:
    """Return the norms of ∂ logits_t / ∂ input_s at one string (1 time), by automatic gradients."""
    with torch.no_grad():
        inputs = model.embed(tokens)
    jacobian = torch.autograd.functional.jacobian(model.logits, inputs)  # 1 rows vocab 1 inputs d
    return jacobian[0, :, :, 0].square().sum((1, 3)).sqrt()


def compare_positions(settings: Settings) -> pd.DataFrame:
    """Train two models with sinusoidal positions: along the batch, as published, and along time.

    Columns: model, seed, moved, excess (nats per string, with every string alone in its batch).
    `moved` is the largest change of a probability when a string moves from the first place of a
    training batch to another place.
    """
    seed = settings.training.seed
    batch_size = settings.training.batch_size
    words = tasks.build(settings).held_out()["in_distribution"]
    rows = []
    for name, positions in (("along the batch", "none"), ("along time", "sinusoidal")):
        changed = settings.replace(positions=positions)
        model = models.build(changed, generator=generator(seed, "weights"))
        if name == "along the batch":
            model.backbone = BatchPositions(model.backbone)
        train_model(model, settings)
        with torch.no_grad():
            probs = model(words[-1:].expand(batch_size, -1)).exp()
        moved = (probs - probs[:1]).abs().max().item()
        rows.append((name, seed, moved, _mean_excess(_one_by_one(model), settings, words)))
    return pd.DataFrame(rows, columns=["model", "seed", "moved", "excess"])


def immediate_eos_rate(language: str) -> float:
    """Return how often rule 1 holds if out-of-distribution prompts are completed with EOS alone."""
    prompts = rules.prompt_sets(language)["out_of_distribution"]
    table = rules.immediate_eos(LANGUAGES[language], prompts).set_index("measure")
    return table.loc[rules.MAIN_MEASURE, "value"]


def _predictor(model: nn.Module) -> Predictor:
    def predict(tokens: Tokens) -> LogProbs:
        with torch.no_grad():
            return as_double(model(tokens))

    return predict


def _one_by_one(model: nn.Module) -> Predictor:
    """Return a predictor that passes every sequence to the model in a batch of its own."""
    predict = _predictor(model)
    return lambda tokens: torch.cat([predict(sequence[None]) for sequence in tokens])


def _mean_excess(predictor: Predictor, settings: Settings, words: Tokens) -> float:
    oracle = tasks.build(settings).references()["oracle"]
    loss = negative_log_likelihood(predictor(words), words).double().sum(-1)
    oracle_loss = negative_log_likelihood(oracle(words), words).double().sum(-1)
    return (loss - oracle_loss).mean().item()
