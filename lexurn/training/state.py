"""The state of a training: everything that it needs to resume as if it had never stopped."""

from collections.abc import Iterator

import torch
from torch import nn

from lexurn.base.seeding import default_generator, generator
from lexurn.base.shapes import State
from lexurn.settings import TrainingSettings
from lexurn.training.optimizers import build_optimizers

N_FIRST_LOSSES = 20
"""Number of steps whose losses are kept one by one, to compare with a repeated training."""


def copy_weights(model: nn.Module) -> State:
    """Return a copy of a model's weights on the CPU."""
    return {
        name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()
    }


class TrainState:
    """The state before an optimizer update, after the evaluation at that step, if there is one.

    `losses` is a ring buffer on the model's device with the losses since the last evaluation. The
    state of the global generator, from which dropout draws, is saved and loaded too.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings) -> None:
        self.model = model
        self.optimizers = build_optimizers(model, settings)
        self.tables = generator(settings.seed, "tables", device=model.device)
        self.losses = torch.zeros(settings.eval_every, device=model.device)
        self.first_losses = torch.zeros(min(N_FIRST_LOSSES, settings.n_steps), device=model.device)
        self.best_weights = copy_weights(model)
        self.best_loss = float("inf")
        self.best_step = 0
        self.step = 0

    def to_tensors(self) -> State:
        """Return the state as named tensors on the CPU."""
        return {
            "step": torch.tensor(self.step),
            "best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
            "best_step": torch.tensor(self.best_step),
            "losses": self.losses.cpu(),
            "tables": self.tables.get_state(),
            "global": default_generator(self.model.device).get_state(),
            **{
                f"{prefix}{name}": value.cpu()
                for prefix, _, moments in self._moments()
                for name, value in moments.items()
            },
            **{f"model/{name}": value for name, value in copy_weights(self.model).items()},
            **{f"best/{name}": value for name, value in self.best_weights.items()},
            "first_losses": self.first_losses.cpu(),
        }

    def load_tensors(self, tensors: State) -> None:
        """Load what `to_tensors` has returned, in place."""
        self.step = int(tensors["step"])
        self.best_loss = float(tensors["best_loss"])
        self.best_step = int(tensors["best_step"])
        self.best_weights = _with_prefix("best/", tensors)
        self.losses.copy_(tensors["losses"])
        self.first_losses.copy_(tensors["first_losses"])
        self.tables.set_state(tensors["tables"])
        default_generator(self.model.device).set_state(tensors["global"])
        self.model.load_state_dict(_with_prefix("model/", tensors))
        for prefix, parameter, moments in self._moments():
            for name, value in _with_prefix(prefix, tensors).items():
                moments[name] = value.to(parameter.device, copy=True)

    def _moments(self) -> Iterator[tuple[str, nn.Parameter, State]]:
        """Yield for every optimized parameter the prefix of its names, itself, and its moments."""
        optimized = (
            (optimizer, parameter)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        )
        for number, (optimizer, parameter) in enumerate(optimized):
            yield f"optimizer/{number}/", parameter, optimizer.state[parameter]


def _with_prefix(prefix: str, tensors: State) -> State:
    """Return the tensors whose names start with a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
