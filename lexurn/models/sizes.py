"""The sizes of a model, from its settings alone: it is built without any memory for its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from lexurn.base import seeding
from lexurn.models.language_model import LanguageModel
from lexurn.settings import Settings


@dataclass(frozen=True)
class ModelSizes:
    """Bytes of all `weights` and of the `trained` ones; `widths` is the number of inputs and
    outputs of all matrices of the backbone; `is_random` says whether embeddings are random."""

    weights: int
    trained: int
    widths: float
    is_random: bool


class _Shapes(TorchFunctionMode):
    """Tensors that modules allocate inside this block have a shape and no memory.

    `torch.device("meta")` imports torch's compiler for some operations, which takes a second.
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if function is torch.Tensor.repeat:
            x, *times = args
            shape = zip((1,) * (len(times) - x.ndim) + x.shape, times, strict=True)
            function, args = torch.empty, ([n * m for n, m in shape],)
        if function in (torch.empty, torch.zeros, torch.ones, torch.eye):
            kwargs = {**(kwargs or {}), "device": "meta"}
        return function(*args, **(kwargs or {}))


def measure_model(settings: Settings, vocab_size: int) -> ModelSizes:
    """Return the sizes of the model that `models.build` would return."""
    backbone = settings.backbone
    if backbone.positions == "sinusoidal":  # a table that is computed, not trained or stored
        backbone = backbone.model_copy(update={"positions": "none"})
    shown = settings.model_copy(update={"backbone": backbone})
    with seeding.global_generator(0, torch.device("cpu")):  # constructors draw from it
        try:
            with _Shapes():
                model = LanguageModel(shown, vocab_size)
        except Exception:  # one from outside may need values
            model = LanguageModel(shown, vocab_size)
    return ModelSizes(
        weights=sum(tensor.nbytes for tensor in model.state_dict().values()),
        trained=sum(parameter.nbytes for parameter in model.parameters()),
        widths=sum(
            p.numel() * (sum(1 / n for n in p.shape[-2:]) if p.ndim > 1 else 1)
            for p in model.backbone.parameters()
        ),
        is_random=model.vocabulary.is_random,
    )
