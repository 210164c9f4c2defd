"""Hook points: named activations of a backbone that can be read and changed.

`lexurn.chapters.coins.activations` reads and changes them by name.
"""

from torch import Tensor, nn


class HookPoint(nn.Module):
    """An identity map; forward hooks registered on it see the activation that passes."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return x

    @property
    def has_hooks(self) -> bool:
        return bool(self._forward_hooks)


def hook_points(backbone: nn.Module) -> dict[str, HookPoint]:
    """Return all hook points by their full names, for example `0.resid_pre`.

    The number is that of the layer, which is the first number in the module's path. Where the path
    has no number, the hook point's own name is the full name.
    """
    points = {}
    for path, module in backbone.named_modules():
        if isinstance(module, HookPoint):
            layer = next((part for part in path.split(".") if part.isdigit()), None)
            points[module.name if layer is None else f"{layer}.{module.name}"] = module
    return points
