"""Initializers for weights that need other initial values than usual.

Each is a function (parameter, generator) that fills the parameter in place.
"""

import torch
from torch import Generator, Tensor


def keep_constructed(parameter: Tensor, generator: Generator) -> None:
    """Leave the values that the constructor has set."""


def fill_zeros(parameter: Tensor, generator: Generator) -> None:
    parameter.zero_()


def fill_normal(parameter: Tensor, generator: Generator) -> None:
    """Draw from a normal distribution with standard deviation 0.1."""
    parameter.normal_(std=0.1, generator=generator)


def fill_forget_bias(parameter: Tensor, generator: Generator) -> None:
    """Space the forget-gate biases of the heads evenly from 3 to 6.

    All heads start by forgetting slowly, each at its own rate.
    """
    parameter.copy_(torch.linspace(3.0, 6.0, len(parameter)))
