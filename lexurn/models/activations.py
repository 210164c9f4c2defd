"""Read the activations of a model by name, and predict with some of them changed.

    names(model)                                               0.resid_pre, 0.attn.z, 0.mlp.post, …
    read(model, tokens, "0.resid_mid", "0.attn.pattern")       activations by name, at all rows
    intervene(model, tokens, {"0.resid_mid": patch(values)})   predict with an activation replaced
    intervene(model, tokens, {"0.resid_mid": steer(vector)})   predict with a vector added to it

Shapes: `resid_*` is (batch time d_model), `attn.q/k/v/z` is (batch time heads d_head),
`attn.pattern` is (batch heads time time), `mlp.pre/post` is (batch time d_mlp). Row t of an
activation, as of a prediction, has seen the tokens before t. Every backbone with hook points
(`lexurn.models.backbone`) can be read. All hooks are removed afterwards, also after an error.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from lexurn.base.errors import suggestion
from lexurn.base.shapes import LogProbs, Table, Tokens, check_tokens
from lexurn.models.backbone import hook_points
from lexurn.models.language_model import LanguageModel, evaluating

Intervention = Callable[[Tensor], Tensor]
"""A function from all rows of an activation to the tensor that replaces it."""


def names(model: LanguageModel) -> list[str]:
    """Return the names of a model's activations, in the order in which they are computed."""
    return list(hook_points(model.backbone))


@torch.no_grad()
def read(
    model: LanguageModel, tokens: Tokens, *selected: str, table: Table | None = None
) -> dict[str, Tensor]:
    """Return activations by name: the selected ones, or all of them if no name is given.

    A lexical model needs its `table`. Raises KeyError for a name that the model does not have.
    """
    parts: dict[str, list[Tensor]] = {}
    hooks = {
        name: partial(_record, parts.setdefault(name, [])) for name in selected or names(model)
    }
    _run(model, tokens, hooks, table)
    return {name: _join_rows(name, tensors) for name, tensors in parts.items()}


@torch.no_grad()
def intervene(
    model: LanguageModel,
    tokens: Tokens,
    interventions: Mapping[str, Intervention],
    *,
    table: Table | None = None,
) -> LogProbs:
    """Return the prediction with the named activations changed by functions of all their rows.

    Without a BOS, row 0 depends on the start vector alone, and a change of row 0 is ignored.
    Raises KeyError for a name that the model does not have, and ValueError if a change alters the
    shape of an activation.
    """
    start_rows: dict[str, Tensor] = {}
    has_two_passes = not model.bos and tokens.shape[1] > 1  # row 0 alone, then the other rows
    hooks = {
        name: partial(_replace, intervention, name, start_rows, has_two_passes)
        for name, intervention in interventions.items()
    }
    return _run(model, tokens, hooks, table)


def patch(values: Tensor, *, rows: Sequence[int] | slice = slice(None)) -> Intervention:
    """Return an intervention that replaces some rows by these values, which `read` returned."""

    def intervention(activation: Tensor) -> Tensor:
        activation = activation.clone()
        activation[:, rows] = values[:, rows].to(activation)
        return activation

    return intervention


def steer(direction: Tensor, *, rows: Sequence[int] | slice = slice(None)) -> Intervention:
    """Return an intervention that adds a vector to some rows.

    The direction is one vector for all sequences and rows, or broadcasts to (batch time …).
    """

    def intervention(activation: Tensor) -> Tensor:
        activation = activation.clone()
        activation[:, rows] += direction.expand_as(activation)[:, rows].to(activation)
        return activation

    return intervention


def _run(
    model: LanguageModel, tokens: Tokens, hooks: Mapping[str, Callable], table: Table | None
) -> LogProbs:
    check_tokens(tokens, model.vocab_size)
    points = hook_points(model.backbone)
    for name in hooks:
        if name not in points:
            raise KeyError(
                f"the model has no activation {name}; {suggestion(name, points)}"
                f"its activations are {', '.join(points)}"
            )
    with ExitStack() as stack, evaluating(model):
        for name, hook in hooks.items():
            handle = points[name].register_forward_hook(
                lambda module, inputs, output, hook=hook: hook(output)
            )
            stack.callback(handle.remove)
        return model(tokens.to(model.device), table=table)


def _record(parts: list[Tensor], activation: Tensor) -> None:
    parts.append(activation.detach().clone())


def _replace(
    intervention: Intervention,
    name: str,
    start_rows: dict[str, Tensor],
    has_two_passes: bool,
    activation: Tensor,
) -> Tensor:
    if has_two_passes and name not in start_rows:
        start_rows[name] = activation
        return activation
    whole = _join_rows(name, [start_rows[name], activation]) if has_two_passes else activation
    changed = intervention(whole)
    if changed.shape != whole.shape:
        raise ValueError(
            f"an intervention must keep the shape of {name}, {tuple(whole.shape)}, "
            f"got {tuple(changed.shape)}"
        )
    if not has_two_passes:
        return changed
    return changed[..., 1:, 1:] if name.endswith("pattern") else changed[:, 1:]


def _join_rows(name: str, parts: list[Tensor]) -> Tensor:
    """Join row 0 and the other rows of an activation that was computed in two passes."""
    if len(parts) == 1:
        return parts[0]
    if not name.endswith("pattern"):
        return torch.cat(parts, 1)
    first, rest = parts
    n_rows = 1 + rest.shape[-1]
    whole = rest.new_zeros(*rest.shape[:-2], n_rows, n_rows)
    whole[..., :1, :1] = first
    whole[..., 1:, 1:] = rest
    return whole
