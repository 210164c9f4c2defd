"""How weights begin that are not of the usual kind: functions (parameter, generator) that fill them in place."""

import torch
from torch import Generator, Tensor


def as_built(parameter: Tensor, generator: Generator) -> None:
    """As the constructor has left it."""


def zeros(parameter: Tensor, generator: Generator) -> None:
    parameter.zero_()


def small(parameter: Tensor, generator: Generator) -> None:
    """Of standard deviation a tenth."""
    parameter.normal_(std=0.1, generator=generator)


def spread(parameter: Tensor, generator: Generator) -> None:
    """From 3 to 6: forget gates that keep nearly all, each for another time."""
    parameter.copy_(torch.linspace(3.0, 6.0, len(parameter)))
