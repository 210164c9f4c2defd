"""A language model: vocabulary × positions × backbone, with a learned start vector.

    start, embed(x_0) + position 0, …, embed(x_{T-2}) + position T-2
        ->  backbone  ->  unembed  ->  log-probabilities

Row 0 comes from the start vector, and row t from the tokens before t, so nothing is shifted. For
strings, the start vector is the embedding of SOS.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn import tasks
from lexurn.base.divergences import as_double, negative_log_likelihood
from lexurn.base.seeding import generator as stream
from lexurn.base.seeding import global_generator
from lexurn.base.shapes import LogProbs, Predictor, Table, Tokens, check_tokens
from lexurn.generators.strings import SOS, force_padding, mask_special_tokens
from lexurn.predictors import Average
from lexurn.settings import Settings
from lexurn.settings.registry import load_target

TABLES: dict[str, Callable[[Float[Tensor, "time"]], Float[Tensor, "time"]]] = {
    "integer": lambda places: places,
    "linear": lambda places: places / max(len(places) - 1, 1),
    "log": lambda places: places.log1p(),
}
"""Positional encodings whose initial value is one number per position i = 0, 1, …

The number is written into the last dimension; the other dimensions are 0.
"""


class LanguageModel(nn.Module):
    """A map from tokens (batch time) to log-probabilities (batch time vocab) in nats.

    Row t has seen `tokens[:, :t]`. Row 0 comes from the start vector, which the other rows see too,
    as their BOS, unless `bos` is off.

    With a random vocabulary, every sequence gets a fresh table from `generator`, or the one passed
    as `table` (1 or batch, symbols, d_model). For strings, PAD has probability 1 after EOS.
    """

    def __init__(self, settings: Settings, vocab_size: int):
        super().__init__()
        d_model = settings.backbone.d_model
        self.context_length = settings.task.context_length
        self.vocab_size = vocab_size
        self.has_words = settings.task.n_special > 0
        self.start = None if self.has_words else nn.Parameter(torch.empty(1, d_model))
        self.vocabulary = load_target("vocabulary", settings.vocabulary.name)(
            vocab_size,
            d_model,
            settings.vocabulary,
            n_special=settings.task.n_special,
            d_out=settings.backbone.d_out,
        )
        how = settings.backbone.positions
        self.told = TABLES.get(how)
        if how == "sinusoidal":
            table = sinusoids(self.context_length, d_model)
            self.register_buffer("positions", table, persistent=False)
        elif how == "learned" or self.told:
            table = torch.empty(self.context_length, d_model)
            self.positions = nn.Parameter(table, requires_grad=settings.backbone.positions_trained)
        else:
            self.positions = None
        self.bos = settings.backbone.bos
        self.backbone = load_target("backbone", settings.backbone.name)(
            settings.backbone, n_rows=self.context_length + 1
        )

    def forward(
        self, tokens: Tokens, *, generator: Generator | None = None, table: Table | None = None
    ) -> LogProbs:
        n_sequences, n_rows = tokens.shape
        if n_rows > self.context_length + 1:
            raise ValueError(
                f"sequences may have context_length + 1 = {self.context_length + 1} tokens, "
                f"got {n_rows}"
            )
        if table is None:
            table = self.vocabulary.draw(n_sequences, generator=generator)
        seen = self.vocabulary.embed(tokens[:, :-1], table)
        if self.positions is not None:
            seen = seen + self.positions[: n_rows - 1]
        start = self.start_vector.expand(n_sequences, 1, -1)
        if self.bos or n_rows == 1:
            x = self.backbone(torch.cat([start, seen], 1))
        else:
            x = torch.cat([self.backbone(start), self.backbone(seen)], 1)
        log_probs = self.read_out(x, table)
        return force_padding(log_probs, tokens) if self.has_words else log_probs

    @property
    def start_vector(self) -> Float[Tensor, "1 d_model"]:
        return self.vocabulary.row(SOS) if self.has_words else self.start

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def read_out(self, x: Float[Tensor, "batch time d_out"], table: Table) -> LogProbs:
        """Return the log-probabilities for the output of the backbone."""
        logits = self.vocabulary.unembed(x, table)
        return (mask_special_tokens(logits) if self.has_words else logits).log_softmax(-1)

    def initial_state(self) -> Any:
        """Return the state before row 0, for `step`."""
        return self.backbone.initial_state()

    def step(self, before: Tokens, row: int, state: Any, *, table: Table) -> LogProbs:
        """Return row `row` alone (batch 1 vocab), given the token before it (batch 1).

        Rows must come in order; the state is updated in place. Before row 0, only the number of
        tokens in `before` matters.
        """
        if row == 0:
            x = self.start_vector.expand(len(before), -1)
            state = state if self.bos else self.initial_state()
        else:
            x = self.vocabulary.embed(before, table)[:, 0]
            x = x if self.positions is None else x + self.positions[row - 1]
        return self.read_out(self.backbone.step(x, state)[:, None], table)


def sinusoids(n: int, d_model: int) -> Float[Tensor, "n d_model"]:
    """Return sinusoidal positions (Vaswani et al. 2017), of norm 1 as learned ones initially."""
    frequencies = 10_000 ** -(torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * frequencies
    both = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :d_model]
    return both / (d_model / 2) ** 0.5


def build(settings: Settings, *, generator: Generator) -> LanguageModel:
    """Return a freshly initialized model on the CPU.

    Its weights depend on the settings and the generator alone.
    """
    vocab_size = settings.task.vocab_size or tasks.build(settings).vocab_size
    with global_generator(0, torch.device("cpu")):  # constructors draw from it
        model = LanguageModel(settings, vocab_size)
    initialize(model, generator=generator, std=settings.training.initial_std)
    return model


@torch.no_grad()
def initialize(model: LanguageModel, *, generator: Generator, std: float = 0.0) -> None:
    """Set all initial weights.

    Matrices and tables are drawn from N(0, 1/fan-in), so that embedded tokens have norm about 1, as
    in random tables; with `std`, they all have this standard deviation. Matrices that write into
    the residual stream are divided by the square root of their number. Norms start as the identity
    and biases at zero. Positions with a rule in `TABLES` start from it. A backbone may give
    initializers of its own (`INITIALIZERS`).
    """
    residual, own = model.backbone.RESIDUAL_WRITERS, model.backbone.INITIALIZERS
    n_writes = sum(name.endswith(residual) for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        if name == "positions" and model.told:
            parameter.zero_()[:, -1] = model.told(torch.arange(len(parameter)).to(parameter))
        elif fill := next((each for end, each in own.items() if name.endswith(end)), None):
            fill(parameter, generator)
        elif parameter.ndim == 1:
            parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
        else:
            scale = std or parameter.shape[-1] ** -0.5
            parameter.normal_(
                std=scale / n_writes**0.5 if name.endswith(residual) else scale, generator=generator
            )


def as_predictor(
    model: LanguageModel, *, n_tables: int = 1, seed: int = 0, batch_size: int = 64
) -> Predictor:
    """Return the model as a predictor, which is a function of the tokens alone.

    It predicts in batches, in evaluation mode and without gradients. A lexical model becomes an
    `Average` over `n_tables` tables, which are drawn from `seed` and shared by all sequences, so
    that the prediction for a sequence does not depend on the rest of its batch. Tables are drawn on
    the CPU, so they are the same on every device. The prediction is on the device of the tokens.
    """
    device = model.device
    tables = model.vocabulary.draw(n_tables, generator=stream(seed, "evaluation tables")).to(device)

    def under(table: Table | None) -> Predictor:
        def predict(tokens: Tokens) -> LogProbs:
            check_tokens(tokens, model.vocab_size)
            with evaluating(model):
                batches = [
                    model(batch, table=table) for batch in tokens.to(device).split(batch_size)
                ]
            return as_double(torch.cat(batches).to(tokens.device))

        return predict

    if not model.vocabulary.is_random:  # its table goes on changing with the model
        return under(None)
    return Average([under(table) for table in tables.split(1)])


def loss_as_trained(
    model: LanguageModel, tokens: Tokens, *, seed: int, first_row: int = 1, batch_size: int = 64
) -> float:
    """Return the mean −log p over rows from `first_row` on, with one random table per sequence.

    So the loss is computed as in training. The tables are the same at every call and on every
    device.
    """
    device, tables, total = model.device, stream(seed, "validation tables"), 0.0
    with evaluating(model):
        for batch in tokens.to(device).split(batch_size):
            table = model.vocabulary.draw(len(batch), generator=tables).to(device)
            total += (
                negative_log_likelihood(model(batch, table=table), batch)[:, first_row:]
                .mean(-1)
                .sum()
            )
    return float(total) / len(tokens)


@contextmanager
def evaluating(model: LanguageModel) -> Iterator[None]:
    """Switch off dropout and gradients for the time of a block."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def summary(model: LanguageModel) -> dict[str, int]:
    """Return the number of parameters of each part, and of all parts together."""
    parts = {
        "start vector": 0 if model.start is None else model.start.numel(),
        "positions": model.positions.numel() if isinstance(model.positions, nn.Parameter) else 0,
    }
    for name in ("vocabulary", "backbone"):
        parts[name] = sum(parameter.numel() for parameter in getattr(model, name).parameters())
    return {**parts, "all": sum(parts.values())}
