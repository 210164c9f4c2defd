"""The geometry of a model's vectors, layer by layer (the measures themselves: `lexurn.chapters.geometry.vector_geometry`).

    by_layer(model, tokens)          means over tokens and sequences: cosines, norms, updates, gradients
    by_position(model, tokens)       the cosine of each token with the others of its sequence, by its place
    vectors(model, tokens)           the vectors of all tokens, in every layer; kinds: which tokens they are of
    drawn(kinds, n, …)               some of them, a cloud: any, or of every kind of token one
    of_clouds(clouds)                effective rank and dimensions; kept_neighbours, same_kind: what is near to what
    alike(clouds, others)            CKA of every layer of one model with every layer of another

Layer 0 is what goes into the first block, layer l what the l-th gives (an LSTM shows its first and last). The vectors
are those of tokens: the start vector is left out, and padding. Batches come one after the other, and of each only a
number a sequence is kept. A lexical model is looked at under one table for all sequences.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator as stream
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import vector_geometry
from lexurn.generators.strings import PAD
from lexurn.models import LanguageModel
from lexurn.models.hooks import hook_points
from lexurn.models.language_model import evaluating

Flow = list[Tensor]
"""The vectors of each layer (batch time d)."""

Clouds = list[vector_geometry.Points]


def by_layer(
    model: LanguageModel, tokens: Tokens, *, batch_size: int = 64, backward: bool = True
) -> pd.DataFrame:
    """layer, measure, mean, sem, n over sequences: `cosine` and `centred` (of pairs of tokens), `norm`, `update` and
    `update_cosine` (what the block behind adds), and (going `backward`) `gradient`, the norm of that of the loss
    of a whole sequence.

    Raises ValueError where no sequence has two tokens.
    """
    found: dict[tuple[int, str], list[Tensor]] = {}
    for flow, gradients, valid in _flows(model, tokens, batch_size, backward=backward):
        for layer, x in enumerate(flow):
            measures = {
                "cosine": vector_geometry.cosines(x, valid),
                "centred": vector_geometry.cosines(x, valid, centred=True),
            }
            measures["norm"] = vector_geometry.norms(x, valid)
            if backward:
                measures["gradient"] = vector_geometry.norms(gradients[layer], valid)
            if layer + 1 < len(flow) and flow[layer + 1].shape == x.shape:
                measures |= vector_geometry.updates(x, flow[layer + 1], valid)
            for name, values in measures.items():
                found.setdefault((layer, name), []).append(values.cpu())
    return pd.DataFrame(
        [_line(layer, name, torch.cat(parts)) for (layer, name), parts in found.items()]
    )


def by_position(model: LanguageModel, tokens: Tokens, *, batch_size: int = 64) -> pd.DataFrame:
    """layer, position, cosine and norm: the mean cosine of the token there with all others of its sequence."""
    sums: dict[int, Tensor] = {}
    for flow, _, valid in _flows(model, tokens, batch_size):
        for layer, x in enumerate(flow):
            cosine, there = vector_geometry.with_others(x, valid), valid.double()
            each = [
                cosine.nan_to_num(),
                (~cosine.isnan()).double(),
                x.double().norm(dim=-1) * there,
                there,
            ]
            sums[layer] = sums.get(layer, 0) + torch.stack(each).sum(1).cpu()
    parts = []
    for layer, (cosine, n_cosines, norm, n) in sums.items():
        columns = {
            "position": range(len(n)),
            "cosine": (cosine / n_cosines).numpy(),
            "norm": (norm / n).numpy(),
        }
        parts.append(pd.DataFrame({"layer": layer, **columns}))
    return pd.concat(parts, ignore_index=True)


def vectors(model: LanguageModel, tokens: Tokens, *, batch_size: int = 64) -> Clouds:
    """The vectors of all tokens of all sequences, in every layer, in the order of `kinds`."""
    parts = [
        [x[valid].double().cpu() for x in flow]
        for flow, _, valid in _flows(model, tokens, batch_size)
    ]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def kinds(model: LanguageModel, tokens: Tokens) -> Int64[Tensor, "points"]:
    """Which token each of the `vectors` is of."""
    seen = tokens[:, :-1]
    return seen[seen != PAD] if model.has_words else seen.flatten()


def drawn(
    kinds: Int64[Tensor, "points"], n: int, *, generator: Generator, once: bool = False
) -> Int64[Tensor, "chosen"]:
    """Which `n` of the tokens (or all, if there are fewer) make up a cloud: any; or of every kind `once`, in one of the
    places where it stands."""
    order = torch.randperm(len(kinds), generator=generator)
    if once:
        found, by_kind = kinds[order].sort(stable=True)
        is_first = torch.cat([torch.ones(1, dtype=torch.bool), found.diff() != 0])
        order = order[by_kind[is_first]]
        order = order[torch.randperm(len(order), generator=generator)]
    return order[:n].sort().values


def of_clouds(
    found: Clouds, *, estimators: Sequence[str] = vector_geometry.ESTIMATORS
) -> pd.DataFrame:
    """layer, measure, value: `effective_rank`, and dimensions by `estimators`. NaN where there are too few different
    points."""
    lines = []
    for layer, x in enumerate(found):
        measures = {
            "effective_rank": vector_geometry.effective_rank(x),
            **_dimension(x, estimators),
        }
        lines += [
            {"layer": layer, "measure": name, "value": value} for name, value in measures.items()
        ]
    return pd.DataFrame(lines)


def kept_neighbours(found: Clouds, *, k: int = 10) -> pd.DataFrame:
    """layer, measure (`overlap`), value: the share of the `k` nearest neighbours of the layer before that are still
    among them. NaN where there are too few points."""
    pairs = enumerate(zip(found, found[1:], strict=False), 1)
    values = [
        (layer, vector_geometry.overlap(x, y, k=k) if len(x) > k else np.nan)
        for layer, (x, y) in pairs
    ]
    return pd.DataFrame(
        [{"layer": layer, "measure": "overlap", "value": value} for layer, value in values]
    )


def same_kind(found: Clouds, kinds: Tensor) -> pd.DataFrame:
    """layer, value: for how many tokens the nearest neighbour is the same kind of token (`kinds`: points)."""
    near = [vector_geometry.neighbours(x, 1)[:, 0] for x in found]
    return pd.DataFrame(
        [
            {"layer": layer, "value": float((kinds[each] == kinds).double().mean())}
            for layer, each in enumerate(near)
        ]
    )


def alike(
    found: Clouds, others: Clouds, *, measure: Callable[..., float] = vector_geometry.cka
) -> pd.DataFrame:
    """layer, other, value: how alike every layer of one model is to every layer of another, on the same tokens."""
    pairs = ((i, j, x, y) for i, x in enumerate(found) for j, y in enumerate(others))
    return pd.DataFrame([{"layer": i, "other": j, "value": measure(x, y)} for i, j, x, y in pairs])


def similarities(model: LanguageModel, tokens: Tokens) -> pd.DataFrame:
    """layer, first, second, value: the cosine of every two tokens of one sequence (1 time)."""
    ((flow, _, valid),) = _flows(model, tokens, 1)
    lines = []
    for layer, x in enumerate(flow):
        unit = torch.nn.functional.normalize(x[0][valid[0]].double().cpu(), dim=-1)
        n = len(unit)
        first, second = np.indices((n, n))
        columns = {
            "first": first.ravel(),
            "second": second.ravel(),
            "value": (unit @ unit.T).numpy().ravel(),
        }
        lines.append(pd.DataFrame({"layer": layer, **columns}))
    return pd.concat(lines, ignore_index=True)


def _flows(
    model: LanguageModel, tokens: Tokens, batch_size: int, *, backward: bool = False
) -> Iterator[tuple[Flow, Flow, Tensor]]:
    """The vectors of tokens in every layer, batch by batch, the gradients there of the loss of whole sequences (with
    `backward`), and which tokens are there (batch time)."""
    table = model.vocabulary.draw(1, generator=stream(0, "geometry table"))
    there = hook_points(model.backbone)
    names = [name for name in there if name.endswith("resid_pre")]
    names += [name for name in there if name.endswith("resid_post")][-1:]
    for batch in tokens.to(model.device).split(batch_size):
        seen: dict[str, list[Tensor]] = {name: [] for name in names}
        with ExitStack() as stack, evaluating(model), torch.set_grad_enabled(backward):
            for name in names:
                hook = there[name].register_forward_hook(
                    lambda module, inputs, own, parts=seen[name]: parts.append(own)
                )
                stack.callback(hook.remove)
            log_probs = model(batch, table=None if table is None else table.to(model.device))
        gradients = []
        if backward:
            flat = [own for parts in seen.values() for own in parts]
            found = torch.autograd.grad(negative_log_likelihood(log_probs, batch).sum(), flat)
            of = dict(zip(map(id, flat), found, strict=True))
            gradients = [_of_tokens([of[id(own)] for own in parts]) for parts in seen.values()]
        valid = (
            batch[:, :-1] != PAD
            if model.has_words
            else torch.ones_like(batch[:, :-1], dtype=torch.bool)
        )
        yield [_of_tokens(parts).detach() for parts in seen.values()], gradients, valid


def _of_tokens(parts: list[Tensor]) -> Tensor:
    """Without the start vector, which comes first, or (without a BOS) alone."""
    return parts[0][:, 1:] if len(parts) == 1 else parts[1]


def _dimension(x: vector_geometry.Points, estimators: Sequence[str]) -> Mapping[str, float]:
    try:
        return vector_geometry.dimension(x, estimators=estimators)
    except ValueError:
        return dict.fromkeys(estimators, np.nan)


def _line(layer: int, measure: str, values: Tensor) -> dict[str, object]:
    there = values[~values.isnan()]
    if len(there) == 0:
        raise ValueError(
            f"{measure} needs sequences of two tokens or more, got none; take longer ones"
        )
    mean, sem = (
        float(there.mean()),
        float(there.std() / len(there) ** 0.5) if len(there) > 1 else np.nan,
    )
    return {"layer": layer, "measure": measure, "mean": mean, "sem": sem, "n": len(there)}
