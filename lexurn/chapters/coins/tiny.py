"""Tiny models of coins by the hundred: trained in compiled loops, and stored as one table.

    models = tiny.train_all([settings.replace(seed=seed) for seed in range(120)])

A run of the store is a folder with metrics and provenance. A tiny model is one line of a table: its
settings' key and its weights. It has the data and the initial weights that a run of its settings
would have, and the weights of its last step (a run keeps those of its best evaluation).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch

from lexurn import runs, tasks
from lexurn.base import files
from lexurn.base.errors import ParameterError
from lexurn.chapters.coins import tiny_loops
from lexurn.models import LanguageModel
from lexurn.runs import fit, store
from lexurn.settings import Settings
from lexurn.training.state import learning_rate_factor

VERSION = 1
"""The number in the names of stored weights; change it when the training changes."""

ATTENTION, MLP = "backbone.blocks.0.attention", "backbone.blocks.0.mlp"

PLACES = {
    "start": "start",
    "embedding": "vocabulary.embedding",
    "positions": "positions",
    "qkv": f"{ATTENTION}.qkv.weight",
    "qkv_bias": f"{ATTENTION}.qkv.bias",
    "out": f"{ATTENTION}.out.weight",
    "out_bias": f"{ATTENTION}.out.bias",
    "up": f"{MLP}.up.weight",
    "up_bias": f"{MLP}.up.bias",
    "down": f"{MLP}.down.weight",
    "down_bias": f"{MLP}.down.bias",
    "readout": "vocabulary.readout.weight",
    "readout_bias": "vocabulary.readout.bias",
}
"""Where the model has the parts of `tiny_loops.PARTS`; the MLP's first matrix is transposed."""


def train_all(
    points: Sequence[Settings], *, jobs: int = 1, say: Callable[[str], None] = files.print_to_stderr
) -> list[LanguageModel]:
    """Return one model per settings, from the store or trained by `jobs` threads.

    Raises ParameterError for settings that the loops do not have.
    """
    for point in points:
        require_tiny(point)
    identity = files.hash_bytes(" ".join(point.key for point in points).encode(), 12)
    name = f"tiny-{VERSION}-{identity}"
    if not store.stored(f"tables/{name}.csv").exists():
        weights = {}
        with ThreadPoolExecutor(jobs) as pool:
            for point, vector in zip(points, pool.map(train, points), strict=True):
                weights[point.key] = " ".join(f"{weight:.6g}" for weight in vector)
                say(f"tiny model {len(weights)} of {len(points)} is trained")
        table = pd.DataFrame({"key": list(weights), "weights": list(weights.values())})
        runs.write_table(name, table)
    texts = runs.read_table(name)["weights"]
    vectors = [np.array(text.split(), np.float32) for text in texts]
    return [unpack(vector, point) for vector, point in zip(vectors, points, strict=True)]


def require_tiny(settings: Settings) -> None:
    """Raise ParameterError unless the loops can train these settings."""
    backbone, training = settings.backbone, settings.training
    wanted = {
        "backbone": (backbone.name, ("transformer",)),
        "n_layers": (backbone.n_layers, (1,)),
        "n_heads": (backbone.n_heads, (1,)),
        "mlp": (backbone.mlp, ("relu", "none")),
        "norm": (backbone.norm, ("none",)),
        "bos": (backbone.bos, (False,)),
        "positions": (backbone.positions, ("learned", "none", "integer", "linear", "log")),
        "tied": (settings.vocabulary.tied, (False,)),
        "lex": (settings.vocabulary.lex, (False,)),
        "optimizer": (training.optimizer, ("adamw",)),
        "trainable": (training.trainable, ("all",)),
    }
    for name, (value, allowed) in wanted.items():
        if value not in allowed:
            raise ParameterError(
                f"the loops of tiny models need {name} {' or '.join(map(str, allowed))}, got "
                f"{value!r}; train it as a run"
            )


def sizes(settings: Settings) -> tuple[int, int, int]:
    """Return d_model, d_head and d_mlp, which is 0 without an MLP."""
    backbone = settings.backbone
    has_mlp = backbone.mlp != "none"
    return backbone.d_model, backbone.head_width, backbone.mlp_width if has_mlp else 0


def shapes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Return the shape of each part of the weights, in their order."""
    return tiny_loops.layout(settings.task.context_length, *sizes(settings))


def offsets(settings: Settings) -> np.ndarray:
    """Return where each part begins in the vector of weights, and where the last one ends."""
    return np.cumsum([0, *(int(np.prod(shape)) for shape in shapes(settings).values())])


def pack(model: LanguageModel, settings: Settings) -> np.ndarray:
    """Return the weights of a model as one vector; parts that it does not have are 0."""
    own = model.state_dict()
    parts = []
    for part, shape in shapes(settings).items():
        weight = own.get(PLACES[part])
        if weight is None:
            parts.append(np.zeros(shape, np.float32).ravel())
        else:
            parts.append((weight.T if part == "up" else weight).detach().numpy().ravel())
    return np.concatenate(parts).astype(np.float32)


def unpack(vector: np.ndarray, settings: Settings) -> LanguageModel:
    """Return the model with these weights, in evaluation mode."""
    model = fit.init_model(settings)
    own = model.state_dict()
    parts = np.split(vector, offsets(settings)[1:-1])
    for (part, shape), values in zip(shapes(settings).items(), parts, strict=True):
        if PLACES[part] in own:
            weight = torch.tensor(values).view(shape)
            own[PLACES[part]] = weight.T if part == "up" else weight.view_as(own[PLACES[part]])
    model.load_state_dict(own)
    return model.eval()


def train(settings: Settings) -> np.ndarray:
    """Train one model and return its weights."""
    train_settings = settings.training
    model = fit.init_model(settings)
    weights = pack(model, settings)
    parameters = dict(model.named_parameters())
    is_trained, decay = [], []
    for part, shape in shapes(settings).items():
        weight = parameters.get(PLACES[part])
        has_gradient = weight is not None and weight.requires_grad
        is_decayed = has_gradient and weight.ndim >= 2
        is_trained.append(np.full(int(np.prod(shape)), has_gradient))
        decay.append(np.full(int(np.prod(shape)), is_decayed * train_settings.weight_decay))
    moments = np.zeros((2, len(weights)))
    batches = fit.training_batches(tasks.build(settings))
    n_steps, n_at_once = train_settings.n_steps, 512
    for first in range(0, n_steps, n_at_once):
        steps = range(first, min(first + n_at_once, n_steps))
        peak = train_settings.learning_rate
        rates = [peak * learning_rate_factor(step, train_settings) for step in steps]
        block = torch.stack([next(batches) for _ in steps]).to(torch.int8).numpy()
        losses = tiny_loops.train_on(
            *(weights, moments, np.concatenate(decay), np.concatenate(is_trained)),
            *(offsets(settings), block, np.array(rates), first, train_settings.grad_clip),
            *sizes(settings),
        )
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                f"the loss of the tiny model with seed {train_settings.seed} is not finite after "
                f"step {first}; lower the learning rate"
            )
    return weights
