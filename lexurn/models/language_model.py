"""A language model: vocabulary × positions × backbone, with a learned start vector.

    start, embed(x_0) + position 0, …, embed(x_{T-2}) + position T-2
        -> backbone -> unembed -> log-probabilities

Row 0 comes from the start vector (for strings, the embedding of SOS) and row t from the tokens
before t; nothing is shifted anywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn import tasks
from lexurn.base import seeding
from lexurn.base.shapes import LogProbs, Table, Tokens
from lexurn.generators.strings import SOS, force_padding, mask_special_tokens
from lexurn.models import canonical
from lexurn.models.backbone import State
from lexurn.models.vocabulary import RandomVocabulary
from lexurn.settings import Settings
from lexurn.settings.registry import load_target

SCALAR_POSITIONS: dict[str, Callable[[Float[Tensor, "time"]], Float[Tensor, "time"]]] = {
    "integer": lambda index: index,
    "linear": lambda index: index / max(len(index) - 1, 1),
    "log": lambda index: index.log1p(),
}
"""Positional encodings that start as one number in the last dimension; the others are 0."""


class LanguageModel(nn.Module):
    """Map tokens (batch time) to log-probabilities (batch time vocab) in nats.

    Row t has seen `tokens[:, :t]`. Row 0 comes from the start vector, which the other rows see as
    well: it is their BOS, unless `bos` is off. With a random vocabulary every sequence gets a fresh
    table from `generator`, or the one passed in as `table` (batch symbols d_model). For strings the
    start vector is the embedding of SOS, and PAD is certain behind EOS.
    """

    def __init__(self, settings: Settings, vocab_size: int):
        super().__init__()
        d_model = settings.backbone.d_model
        self.context_length = settings.task.context_length
        self.vocab_size = vocab_size
        self.n_special = settings.task.n_special
        self.has_special_tokens = self.n_special > 0
        self.is_canonical = settings.vocabulary.is_canonical
        self.start = None if self.has_special_tokens else nn.Parameter(torch.empty(1, d_model))
        self.vocabulary = load_target("vocabulary", settings.vocabulary.name)(
            vocab_size,
            d_model,
            settings.vocabulary,
            n_special=settings.task.n_special,
            d_out=settings.backbone.d_out,
        )
        encoding = settings.backbone.positions
        self.scalar_position = SCALAR_POSITIONS.get(encoding)
        if encoding == "sinusoidal":
            sines = settings.backbone.sinusoid_norm * sinusoids(self.context_length, d_model)
            self.register_buffer("positions", sines, persistent=False)
        elif encoding == "learned" or self.scalar_position:
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
                f"sequences may have context_length + 1 = {self.context_length + 1} tokens, got "
                f"{n_rows}"
            )
        if table is None:
            table = self.vocabulary.draw(n_sequences, generator=generator)
        if self.is_canonical:
            return canonical.predict(
                lambda names: self.predict(names, table),
                tokens,
                vocab_size=self.vocab_size,
                n_special=self.n_special,
            )
        return self.predict(tokens, table)

    def predict(self, tokens: Tokens, table: Table) -> LogProbs:
        """Return the log-probabilities of tokens as they are named in the input."""
        n_sequences, n_rows = tokens.shape
        seen = self.vocabulary.embed(tokens[:, :-1], table)
        if self.positions is not None:
            seen = seen + self.positions[: n_rows - 1]
        start = self.start_vector.expand(n_sequences, 1, -1)
        if self.bos or n_rows == 1:
            x = self.backbone(torch.cat([start, seen], 1))
        else:
            x = torch.cat([self.backbone(start), self.backbone(seen)], 1)
        log_probs = self.read_out(x, table)
        return force_padding(log_probs, tokens) if self.has_special_tokens else log_probs

    @property
    def start_vector(self) -> Float[Tensor, "1 d_model"]:
        return self.vocabulary.row(SOS) if self.has_special_tokens else self.start

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def read_out(self, x: Float[Tensor, "batch time d_out"], table: Table) -> LogProbs:
        """Return log-probabilities from the output of the backbone."""
        logits = self.vocabulary.unembed(x, table)
        return (mask_special_tokens(logits) if self.has_special_tokens else logits).log_softmax(-1)

    def step(self, before: Tokens, row: int, state: State, *, table: Table) -> LogProbs:
        """Return row `row` alone (batch 1 vocab), given the token before it (batch 1).

        Before row 0 any token will do, and the state is empty. It is updated in place; rows must
        come in order. Raises ValueError with canonical renaming.
        """
        if self.is_canonical:
            raise ValueError(
                "canonical renaming has no step form, because a new token renames others; predict "
                "whole sequences, or use another vocabulary"
            )
        if row == 0:
            x = self.start_vector.expand(len(before), 1, -1)
            state = state if self.bos else {}
        else:
            x = self.vocabulary.embed(before, table)
            x = x if self.positions is None else x + self.positions[row - 1]
        return self.read_out(self.backbone(x, state), table)


def sinusoids(n: int, d_model: int) -> Float[Tensor, "n d_model"]:
    """Return positions as sines and cosines (Vaswani et al. 2017), of norm 1 like initial learned
    ones."""
    frequencies = 10_000 ** -(torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * frequencies
    both = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :d_model]
    return both / (d_model / 2) ** 0.5


def build(settings: Settings, *, generator: Generator) -> LanguageModel:
    """Return a freshly initialized model on the CPU.

    Its weights depend on the settings and the generator alone.
    """
    vocab_size = settings.task.vocab_size or tasks.build(settings).vocab_size
    with seeding.global_generator(0, torch.device("cpu")):  # constructors draw from it
        model = LanguageModel(settings, vocab_size)
    initialize(model, generator=generator, std=settings.training.initial_std)
    return model


@torch.no_grad()
def initialize(model: LanguageModel, *, generator: Generator, std: float = 0.0) -> None:
    """Set all initial weights.

    Matrices and tables are N(0, 1/fan-in), so that embedded tokens have norm about 1 as in random
    tables, or all have one `std`. Weights that write into the residual stream are divided by the
    root of their number. Norms are the identity, biases zero. A backbone may initialize some of its
    weights differently (`Backbone.INITIALIZERS`).
    """
    residual = model.backbone.RESIDUAL_WRITERS
    n_writers = sum(name.endswith(residual) for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        initializers = model.backbone.INITIALIZERS.items()
        fill = next((fill for ending, fill in initializers if name.endswith(ending)), None)
        if name == "positions" and model.scalar_position:
            index = torch.arange(len(parameter), dtype=parameter.dtype)
            parameter.zero_()[:, -1] = model.scalar_position(index)
        elif fill:
            fill(parameter, generator)
        elif parameter.ndim == 1:
            parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
        else:
            scale = std or parameter.shape[-1] ** -0.5
            scale = scale / n_writers**0.5 if name.endswith(residual) else scale
            parameter.normal_(std=scale, generator=generator)
    if isinstance(model.vocabulary, RandomVocabulary):
        model.vocabulary.draw_fixed(generator)


def load_weights(model: LanguageModel, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of another model; where its vocabulary is another one, all but these.

    Raises RuntimeError if anything but the vocabulary differs in name or shape.
    """
    own = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith("vocabulary.")
    }
    other = {name for name in weights if name.startswith("vocabulary.")}
    is_same = other == own.keys() and all(
        weights[name].shape == tensor.shape for name, tensor in own.items()
    )
    kept = {} if is_same else own
    model.load_state_dict(
        {name: tensor for name, tensor in weights.items() if is_same or name not in other} | kept
    )


@contextmanager
def evaluating(model: LanguageModel) -> Iterator[None]:
    """Switch dropout and gradients off for the time of a block."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def summary(model: LanguageModel) -> dict[str, int]:
    """Return the number of parameters of each part, and of all."""
    parts = {
        "start vector": 0 if model.start is None else model.start.numel(),
        "positions": model.positions.numel() if isinstance(model.positions, nn.Parameter) else 0,
    }
    for name in ("vocabulary", "backbone"):
        parts[name] = sum(parameter.numel() for parameter in getattr(model, name).parameters())
    return {**parts, "all": sum(parts.values())}
