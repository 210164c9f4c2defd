"""The interface of a backbone: a causal map (batch time d_model) -> (batch time d_out)."""

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Generator, Tensor, nn


class Backbone(nn.Module):
    """A causal map: row t of the output depends on rows 0 … t of the input.

    It is built from its settings and `n_rows`, the largest number of rows that it will be given.
    `forward` maps all rows at once; `step(x, state)` maps the next row (batch d_model) and updates
    the state in place, and `initial_state()` returns the state before the first row. The class
    attributes name weights by the ends of their names.
    """

    RESIDUAL_WRITERS: ClassVar[tuple[str, ...]] = ()
    """Weights that write into a residual stream: their initial scale shrinks with their number."""

    NO_WEIGHT_DECAY: ClassVar[tuple[str, ...]] = ()
    """Weights that are no matrices although they have two axes or more: AdamW updates them without
    weight decay, also if the optimizer is Muon."""

    INITIALIZERS: ClassVar[dict[str, Callable[[Tensor, Generator], None]]] = {}
    """Functions (weight, generator) that fill weights with another initial value than usual."""

    def initial_state(self) -> Any:
        raise NotImplementedError

    def step(self, x: Tensor, state: Any) -> Tensor:
        raise NotImplementedError
