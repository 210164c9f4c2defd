"""What flows inside a model, read and changed by name.

    names(model)                                             what there is: 0.resid_pre, 0.attn.z, 0.mlp.post, …
    read(model, tokens, "0.resid_mid", "0.attn.pattern")     activations by name, all rows
    changed(model, tokens, {"0.resid_mid": patch(other)})    the prediction with something put in its place
    changed(model, tokens, {"0.resid_mid": steer(v)})        … or added to it

Axes: `resid_*` (batch time d_model), `attn.q/k/v/z` (batch time heads d_head), `attn.pattern` (batch heads time time),
`mlp.pre/post` (batch time d_mlp). Rows are those of predictions: row t has seen the tokens before t. Any backbone that
has hook points (`lexurn.models.hooks`) can be read. Nothing is left behind, also where something fails.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from lexurn.base.shapes import LogProbs, Table, Tokens, check_tokens
from lexurn.models import LanguageModel
from lexurn.models.hooks import hook_points
from lexurn.models.language_model import evaluating
from lexurn.settings.resolver import suggestion

Change = Callable[[Tensor], Tensor]
"""From an activation, all rows of it, to what is put in its place."""


def names(model: LanguageModel) -> list[str]:
    """The activations that a model has, in the order in which they are computed."""
    return list(hook_points(model.backbone))


@torch.no_grad()
def read(
    model: LanguageModel, tokens: Tokens, *wanted: str, table: Table | None = None
) -> dict[str, Tensor]:
    """Activations by name, all of them where none is named; a lexical model needs its `table`.

    Raises KeyError for a name that the model does not have.
    """
    found: dict[str, list[Tensor]] = {}
    keep = {name: partial(_keep, found.setdefault(name, [])) for name in wanted or names(model)}
    _run(model, tokens, keep, table)
    return {name: _joined(name, parts) for name, parts in found.items()}


@torch.no_grad()
def changed(
    model: LanguageModel,
    tokens: Tokens,
    changes: Mapping[str, Change],
    *,
    table: Table | None = None,
) -> LogProbs:
    """The prediction with activations changed by name, each by a function of all its rows.

    Without a BOS row 0 is computed from the start vector alone, and what is changed there is dropped. Raises KeyError
    for a name that the model does not have, and ValueError for a change of another shape.
    """
    seen: dict[str, Tensor] = {}
    twice = (
        not model.bos and tokens.shape[1] > 1
    )  # row 0 passes a hook point alone, and then the others
    hooks = {name: partial(_put, change, name, seen, twice) for name, change in changes.items()}
    return _run(model, tokens, hooks, table)


def patch(values: Tensor, *, rows: Sequence[int] | slice = slice(None)) -> Change:
    """Put these activations, from `read`, in the place of the model's own, in some rows (batch time …)."""

    def change(own: Tensor) -> Tensor:
        own = own.clone()
        own[:, rows] = values[:, rows].to(own)
        return own

    return change


def steer(direction: Tensor, *, rows: Sequence[int] | slice = slice(None)) -> Change:
    """Add a vector, the same everywhere or one for each sequence and row, in some rows (batch time …)."""

    def change(own: Tensor) -> Tensor:
        own = own.clone()
        own[:, rows] += direction.expand_as(own)[:, rows].to(own)
        return own

    return change


def _run(
    model: LanguageModel, tokens: Tokens, hooks: Mapping[str, Callable], table: Table | None
) -> LogProbs:
    check_tokens(tokens, model.vocab_size)
    there = hook_points(model.backbone)
    for name in hooks:
        if name not in there:
            raise KeyError(
                f"no activation {name}; {suggestion(name, there)}there are {', '.join(there)}"
            )
    with ExitStack() as stack, evaluating(model):
        for name, hook in hooks.items():
            handle = there[name].register_forward_hook(
                lambda module, inputs, own, hook=hook: hook(own)
            )
            stack.callback(handle.remove)
        return model(tokens.to(model.device), table=table)


def _keep(parts: list[Tensor], own: Tensor) -> None:
    parts.append(own.detach().clone())


def _put(change: Change, name: str, seen: dict[str, Tensor], twice: bool, own: Tensor) -> Tensor:
    if twice and name not in seen:
        seen[name] = own
        return own
    whole = _joined(name, [seen[name], own]) if twice else own
    new = change(whole)
    if new.shape != whole.shape:
        raise ValueError(
            f"{name} has the shape {tuple(whole.shape)}, and was changed to {tuple(new.shape)}"
        )
    if not twice:
        return new
    return new[..., 1:, 1:] if name.endswith("pattern") else new[:, 1:]


def _joined(name: str, parts: list[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    if not name.endswith("pattern"):
        return torch.cat(parts, 1)
    first, rest = parts
    n_rows = 1 + rest.shape[-1]
    whole = rest.new_zeros(*rest.shape[:-2], n_rows, n_rows)
    whole[..., :1, :1], whole[..., 1:, 1:] = first, rest
    return whole
