"""The geometry of a model's token vectors, layer by layer, by the measures of `vector_geometry`.

    layer_measures(model, tokens)      means over sequences: cosines, norms, updates, gradients
    position_cosines(model, tokens)    cosine of tokens with their sequence, by position
    token_vectors(model, tokens)       the vectors of all tokens in every layer
    token_types(model, tokens)         the vocabulary index of each of these tokens
    sample_points(types, n, …)         a random subset of the tokens: any, or one per type
    cloud_measures(clouds)             isotropy, effective rank and intrinsic dimensions
    same_type_share(clouds, types)     nearest neighbours of the same type
    cosine_matrices(model, tokens)     cosines of all pairs of tokens of one sequence

Layer 0 is the input of the first block, layer l the output of block l; an LSTM shows only two.
With `last_norm`, the output of the norm behind the last block is one more layer, if there is one.
The start vector and padding are left out. A lexical model uses one table.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Generator, Tensor, nn

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator as stream
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import dimensions, isotropy, vector_geometry
from lexurn.generators.strings import PAD
from lexurn.models import LanguageModel
from lexurn.models.backbone import Stack, hook_points
from lexurn.models.language_model import evaluating

LayerVectors = list[Tensor]  # the token vectors of each layer (batch time d)
Clouds = list[vector_geometry.Points]


def layer_measures(
    model: LanguageModel,
    tokens: Tokens,
    *,
    batch_size: int = 64,
    backward: bool = True,
    last_norm: bool = False,
) -> pd.DataFrame:
    """Return measures of every layer: layer, measure, mean, sem, n (over sequences).

    The measures are `cosine` and `centred` (over pairs of tokens), `spread` (of centred cosines),
    `norm`, `update` and `update_cosine` (what the next block adds), and, if `backward`, `gradient`:
    the norm of the gradient of the loss of a whole sequence. Raises ValueError if no sequence has
    two tokens.
    """
    parts: dict[tuple[int, str], list[Tensor]] = {}
    options = {"backward": backward, "last_norm": last_norm}
    n_layers = len(_layer_points(model, last_norm=False))
    for vectors, gradients, valid in _batches(model, tokens, batch_size, **options):
        for layer, x in enumerate(vectors):
            measures = {
                "cosine": vector_geometry.cosines(x, valid),
                "centred": vector_geometry.cosines(x, valid, centred=True),
                "spread": isotropy.centred_cosine_spread(x, valid),
                "norm": vector_geometry.norms(x, valid),
            }
            if backward:
                measures["gradient"] = vector_geometry.norms(gradients[layer], valid)
            is_block = layer + 1 < n_layers  # and not the last norm
            if is_block and vectors[layer + 1].shape == x.shape:
                measures |= vector_geometry.updates(x, vectors[layer + 1], valid)
            for name, values in measures.items():
                parts.setdefault((layer, name), []).append(values.cpu())
    return pd.DataFrame(
        [_summarize(layer, name, torch.cat(values)) for (layer, name), values in parts.items()]
    )


def position_cosines(model: LanguageModel, tokens: Tokens, *, batch_size: int = 64) -> pd.DataFrame:
    """Return layer, position, cosine, norm, averaged over sequences.

    `cosine` is the mean cosine of the token at that position with all others of its sequence.
    """
    sums: dict[int, Tensor] = {}
    for vectors, _, valid in _batches(model, tokens, batch_size):
        mask = valid.double()
        for layer, x in enumerate(vectors):
            cosine = vector_geometry.cosines_with_others(x, valid)
            has_cosine = (~cosine.isnan()).double()
            norm = x.double().norm(dim=-1) * mask
            values = torch.stack([cosine.nan_to_num(), has_cosine, norm, mask])
            sums[layer] = sums.get(layer, 0) + values.sum(1).cpu()
    tables = []
    for layer, (cosine, n_cosines, norm, n) in sums.items():
        columns = {
            "layer": layer,
            "position": range(len(n)),
            "cosine": (cosine / n_cosines).numpy(),
            "norm": (norm / n).numpy(),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def token_vectors(
    model: LanguageModel, tokens: Tokens, *, batch_size: int = 64, last_norm: bool = False
) -> Clouds:
    """Return the vectors of all tokens in every layer, in the order of `token_types`."""
    batches = [
        [x[valid].double().cpu() for x in vectors]
        for vectors, _, valid in _batches(model, tokens, batch_size, last_norm=last_norm)
    ]
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]


def token_types(model: LanguageModel, tokens: Tokens) -> Int64[Tensor, "points"]:
    """Return the vocabulary index of each token, in the order of `token_vectors`."""
    seen = tokens[:, :-1]
    return seen[seen != PAD] if model.has_special_tokens else seen.flatten()


def sample_points(
    types: Int64[Tensor, "points"], n: int, *, generator: Generator, one_per_type: bool = False
) -> Int64[Tensor, "chosen"]:
    """Return the sorted indices of `n` random tokens, or of all tokens if there are fewer.

    With `one_per_type`, every type of token is represented at most once, by a random occurrence.
    """
    order = torch.randperm(len(types), generator=generator)
    if one_per_type:
        sorted_types, by_type = types[order].sort(stable=True)
        is_first = torch.cat([torch.ones(1, dtype=torch.bool), sorted_types.diff() != 0])
        order = order[by_type[is_first]]
        order = order[torch.randperm(len(order), generator=generator)]
    return order[:n].sort().values


def cloud_measures(
    clouds: Clouds, *, estimators: Sequence[str] = tuple(dimensions.ESTIMATORS)
) -> pd.DataFrame:
    """Return isotropy, effective rank and intrinsic dimensions of every layer: layer, measure,
    value.

    A dimension is NaN if there are too few different points.
    """
    rows = [
        (layer, name, value)
        for layer, x in enumerate(clouds)
        for name, value in _measure_cloud(x, estimators).items()
    ]
    return pd.DataFrame(rows, columns=["layer", "measure", "value"])


def same_type_share(clouds: Clouds, types: Tensor) -> pd.DataFrame:
    """Return the share of tokens whose nearest neighbour has the same type: layer, value."""
    nearest = [vector_geometry.neighbours(x, 1)[:, 0] for x in clouds]
    values = [float((types[indices] == types).double().mean()) for indices in nearest]
    return pd.DataFrame({"layer": range(len(values)), "value": values})


def cosine_matrices(model: LanguageModel, tokens: Tokens) -> pd.DataFrame:
    """Return the cosines of all pairs of tokens of one sequence (1 time) in every layer.

    Columns: layer, first, second, value.
    """
    ((vectors, _, valid),) = _batches(model, tokens, 1)
    tables = []
    for layer, x in enumerate(vectors):
        unit = torch.nn.functional.normalize(x[0][valid[0]].double().cpu(), dim=-1)
        first, second = np.indices((len(unit), len(unit)))
        columns = {
            "layer": layer,
            "first": first.ravel(),
            "second": second.ravel(),
            "value": (unit @ unit.T).numpy().ravel(),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _batches(
    model: LanguageModel,
    tokens: Tokens,
    batch_size: int,
    *,
    backward: bool = False,
    last_norm: bool = False,
) -> Iterator[tuple[LayerVectors, LayerVectors, Tensor]]:
    """Yield, batch by batch, the token vectors of every layer, their gradients, and a mask.

    The gradients are of the summed loss; the list is empty without `backward`. The mask
    (batch time) is False for padding.
    """
    table = model.vocabulary.draw(1, generator=stream(0, "geometry table"))
    points = _layer_points(model, last_norm=last_norm)
    for batch in tokens.to(model.device).split(batch_size):
        parts: dict[str, list[Tensor]] = {name: [] for name in points}
        with ExitStack() as stack, evaluating(model), torch.set_grad_enabled(backward):
            for name, point in points.items():
                hook = point.register_forward_hook(
                    lambda module, inputs, output, own=parts[name]: own.append(output)
                )
                stack.callback(hook.remove)
            log_probs = model(batch, table=None if table is None else table.to(model.device))
        gradients = []
        if backward:
            flat = [tensor for tensors in parts.values() for tensor in tensors]
            loss = negative_log_likelihood(log_probs, batch).sum()
            remaining = iter(torch.autograd.grad(loss, flat))
            gradients = [
                _without_start([next(remaining) for _ in tensors]) for tensors in parts.values()
            ]
        seen = batch[:, :-1]
        valid = seen != PAD if model.has_special_tokens else torch.ones_like(seen, dtype=torch.bool)
        yield [_without_start(tensors).detach() for tensors in parts.values()], gradients, valid


def _layer_points(model: LanguageModel, *, last_norm: bool) -> dict[str, nn.Module]:
    """Return the modules whose outputs are the vectors of the layers, by name, in their order."""
    points = hook_points(model.backbone)
    names = [name for name in points if name.endswith("resid_pre")]
    names += [name for name in points if name.endswith("resid_post")][-1:]
    layer_points: dict[str, nn.Module] = {name: points[name] for name in names}
    if last_norm and isinstance(model.backbone, Stack):
        _, norm, *_ = model.backbone.children()
        layer_points |= {} if isinstance(norm, nn.Identity) else {"norm": norm}
    return layer_points


def _without_start(parts: list[Tensor]) -> Tensor:
    """Drop the start vector: row 0 of one pass or, without a BOS, the first of two passes."""
    return parts[0][:, 1:] if len(parts) == 1 else parts[1]


def _measure_cloud(x: vector_geometry.Points, estimators: Sequence[str]) -> dict[str, float]:
    try:
        values = {name: dimensions.ESTIMATORS[name](x) for name in estimators}
    except ValueError:  # there are too few different points
        values = dict.fromkeys(estimators, np.nan)
    rank = vector_geometry.effective_rank(x)
    return {**isotropy.cloud_isotropy(x), "effective_rank": rank, **values}


def _summarize(layer: int, measure: str, values: Tensor) -> dict[str, object]:
    values = values[~values.isnan()]
    n = len(values)
    if n == 0:
        raise ValueError(
            f"{measure} needs a sequence of at least two tokens, got none; use longer sequences"
        )
    sem = float(values.std() / n**0.5) if n > 1 else np.nan
    return {"layer": layer, "measure": measure, "mean": float(values.mean()), "sem": sem, "n": n}
