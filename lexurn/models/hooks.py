"""Named places in a backbone, where what flows is read and changed (see `lexurn.chapters.coins.activations`)."""

from torch import Tensor, nn


class Place(nn.Module):
    """Hands on what it is given. The number of its layer and this name are how it is asked for."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return x

    @property
    def is_watched(self) -> bool:
        return bool(self._forward_hooks)


def places(backbone: nn.Module) -> dict[str, Place]:
    """All places by their names, `0.resid_pre` and so on: the first number in a module's path is its layer, unless it
    says so itself."""
    found = {}
    for path, module in backbone.named_modules():
        if isinstance(module, Place):
            layer = next((part for part in path.split(".") if part.isdigit()), None)
            found[module.name if layer is None else f"{layer}.{module.name}"] = module
    return found
