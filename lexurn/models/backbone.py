"""What backbones are made of: their interface, the stack that most of them are, hook points, and a
convolution and initializers that several of them use."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden

State = dict[str, Any]
"""What a backbone or a block remembers of the rows so far, by name; empty before row 0."""


class Backbone(nn.Module):
    """A causal map (batch time d_model) -> (batch time d_out).

    Row t of the output depends on rows 0 … t of the input. A backbone is built from its settings
    and `n_rows`, the largest number of rows that it will be given. `forward(x)` maps all rows at
    once; `forward(x, state)` maps the next row alone (batch 1 d_model) and updates the state in
    place. The class attributes name weights by the ends of their names.

    RESIDUAL_WRITERS   weights that write into a residual stream: their initial scale shrinks with
                       their number
    NO_WEIGHT_DECAY    weights that are no matrices although they have two axes or more: AdamW
                       updates them without weight decay, also if the optimizer is Muon
    INITIALIZERS       functions (weight, generator) that fill weights with another initial value
                       than usual
    """

    RESIDUAL_WRITERS: ClassVar[tuple[str, ...]] = ()
    NO_WEIGHT_DECAY: ClassVar[tuple[str, ...]] = ()
    INITIALIZERS: ClassVar[dict[str, Callable[[Tensor, Generator], None]]] = {}


class Stack(Backbone):
    """Blocks one after the other, then a norm; d_out is d_model.

    The constructor of a subclass assigns first an `nn.Sequential` of blocks, then the norm, and
    after them modules of its own, if it has any. Every block has a state of its own.
    """

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        blocks, norm, *_ = self.children()
        for name, block in blocks.named_children():
            x = block(x, None if state is None else state.setdefault(name, {}))
        return norm(x)


class HookPoint(nn.Identity):
    """A named activation, which forward hooks registered on this module can read and change.

    `lexurn.models.activations` does so by name.
    """

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    @property
    def has_hooks(self) -> bool:
        return bool(self._forward_hooks)


def hook_points(backbone: nn.Module) -> dict[str, HookPoint]:
    """Return all hook points by their full names, for example `0.resid_pre`.

    The number is the first number in the module's path: the layer. If the path has no number, the
    full name is the hook point's own name.
    """
    points = {}
    for path, module in backbone.named_modules():
        if isinstance(module, HookPoint):
            layer = next((part for part in path.split(".") if part.isdigit()), None)
            points[module.name if layer is None else f"{layer}.{module.name}"] = module
    return points


def append_rows(state: State | None, name: str, rows: Tensor, *, axis: int = 1) -> Tensor:
    """Return all rows so far: those that a state keeps by this name, then the new ones."""
    if state is None:
        return rows
    earlier = [state[name]] if name in state else []
    state[name] = torch.cat([*earlier, rows], axis)
    return state[name]


def running_sums(x: Hidden, state: State | None) -> tuple[Hidden, Float[Tensor, "time"]]:
    """Return the sum of the rows so far at every row of `x`, and how many rows these are.

    A state keeps both under `sum` and `n`.
    """
    kept = {} if state is None else state
    sums = kept.get("sum", 0) + x.cumsum(1)
    numbers = kept.get("n", 0) + torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)
    if state is not None:
        state |= {"sum": sums[:, -1:], "n": numbers[-1:]}
    return sums, numbers


class Convolution(nn.Conv1d):
    """A causal convolution of every channel over its last `d_conv` rows, followed by SiLU."""

    def __init__(self, width: int, d_conv: int):
        super().__init__(width, width, d_conv, groups=width)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        """Return all rows or, with a state, the next row; `state["rows"]` keeps the last rows."""
        state = {} if state is None else state
        zeros = x.new_zeros(len(x), self.in_channels, self.kernel_size[0] - 1)
        rows = torch.cat([state.get("rows", zeros), x.mT], -1)
        state["rows"] = rows[..., x.shape[1] :]
        return nn.functional.silu(super().forward(rows).mT)


def keep_constructed(weight: Tensor, generator: Generator) -> None:
    """Leave the values that the constructor has set."""


def fill_zeros(weight: Tensor, generator: Generator) -> None:
    weight.zero_()
