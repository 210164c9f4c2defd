"""The memory that a training takes at its peak, estimated from its settings before it begins.

    memory.estimate(settings)       bytes of each part
    memory.require(settings, free)  raises, with numbers and a setting that fits

With w bytes of weights, R rows of V tokens, a batch of B and N held-out sequences, the large parts
are, in bytes and on a CPU,

    weights       5 w: weights, gradients, two moments, best weights; saving the state takes 10 w
    activations   4 B R (1.25 Σ (inputs + outputs of each matrix) + 5 V), and `BESIDE_MATRICES`
    evaluation    8 N R V (9 temporaries + 10 cached predictions; of a lexical model 45 + 26)

The matrices are those of the model, which is built without memory; a backbone from outside is
therefore estimated too. The constants were fitted to the growth of the resident memory on a CPU in
53 trainings of all backbones and tasks, by 44 MB to 2.6 GB: the estimate is 1.0 to 2.1 times the
measured peak. On a GPU it was not measured. Other processes that start are not foreseen.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import factorial
from typing import Any

import torch

from lexurn import tasks
from lexurn.base.errors import ParameterError
from lexurn.base.ram import available_ram
from lexurn.base.wording import format_number
from lexurn.models.prediction import BATCH_SIZE, GPU_BATCH_SIZE
from lexurn.models.sizes import measure_model
from lexurn.predictors import compiled, symmetrized
from lexurn.runs import fit
from lexurn.settings import LETTERS, Settings
from lexurn.tasks.text import MAX_BIGRAM_TOKENS
from lexurn.tasks.urns import MAX_SECONDS
from lexurn.training.batches import BLOCK_SIZE

LIBRARIES = 60_000_000
"""Bytes of what is loaded during a training, and of workspaces; twice as much with Muon or SGD."""

NUMBA = 130_000_000
"""Bytes of the compiler for the loops that S is computed with."""

BESIDE_MATRICES: dict[str, Callable[[Any, int, int], float]] = {
    "transformer": lambda b, n, rows: (
        4 * b.n_layers * b.d_model * (b.norm == "rms")
        + 4 * b.n_layers * b.n_heads * b.head_width * (b.positions == "rotary")
        + 4 * b.n_layers * b.n_heads * rows * (b.attention_dropout > 0)  # patterns are stored
        - 2 * b.n_layers * b.mlp_width * (b.mlp in ("relu", "gelu"))
    ),
    "lstm": lambda b, n, rows: -8 * b.n_layers * b.d_out,
    # states of a chunk of √rows rows; the C library loses much of the memory of small chunks
    "mamba": lambda b, n, rows: min(
        35 * b.inner * b.d_state / rows**0.5, 10 * b.inner * b.d_state / rows**0.5 + 2e8 / n / rows
    ),
    "xlstm": lambda b, n, rows: (
        12 * b.n_heads * rows * (b.n_layers - len(b.slstm_at)) + 15 * b.d_model * len(b.slstm_at)
    ),
    "linear": lambda b, n, rows: b.n_layers * (2 * b.d_model - 3.6 * rows),
    "equivariant": lambda b, n, rows: (
        1.3 * b.d_model * (2 * b.d_model + 3 * b.n_layers * b.mlp_width)
    ),
}
"""Numbers per row that a step of `n` sequences of `rows` rows holds beside those of matrices."""

SHRINKABLE = (
    *("batch_size", "eval_every", "n_test_samples", "n_checkpoints", "n_tasks", "n_tables"),
    *("context_length", "d_model", "n_layers", "d_mlp", "d_hidden", "n_colors", "n_tokens"),
)
"""Settings that `remedy` tries to halve, in this order."""

SHORTAGE = "can't allocate memory|out of memory"
"""What torch says on a CPU, and on devices that have no error class of their own."""


def _urns(settings: Settings, n_numbers: int) -> int:
    """Return the bytes of a pool with its logs, and of S if it is computed."""
    n_tasks, n_colors = settings.task.n_tasks, settings.task.n_colors
    rows = settings.task.context_length + 1
    pool = 8 * n_tasks * n_colors
    seconds = MAX_SECONDS
    if pool and n_colors <= symmetrized.MAX_COLORS:
        n_rows = 2 * settings.training.n_test_samples * rows
        seconds = compiled.foretell_seconds(n_rows, n_tasks, n_colors)
    if seconds >= MAX_SECONDS:
        return 6 * pool
    if n_colors <= symmetrized.ENUMERABLE:
        return (6 + 3 * factorial(n_colors)) * pool
    is_compiled = seconds > 2 * compiled.MIN_SECONDS  # for two splits
    return (6 + 2 * rows) * pool + (NUMBA if is_compiled else 16 * symmetrized.CHUNK)


def _language(settings: Settings, n_numbers: int) -> int:
    """Return the bytes of an oracle's table of letter counts, and of all renamings."""
    letters, longest = LETTERS[settings.task.language], settings.task.longest
    n_cells = (longest // (len(letters) if len(letters) > 2 else 1) + 2) ** len(letters)
    return 150 * n_cells * letters.isalpha() + 24 * factorial(len(letters)) * n_numbers


REFERENCES: dict[str, Callable[[Settings, int], int]] = {
    "urns": _urns,
    "language": _language,
    # counts of pairs of tokens
    "text": lambda settings, n_numbers: (
        48 * n**2 if (n := settings.task.vocab_size or 0) <= MAX_BIGRAM_TOKENS else 0
    ),
}
"""Bytes of the references of a task, for so many probabilities of held-out sequences."""


def estimate(settings: Settings, memory: str = "RAM") -> dict[str, int]:
    """Return about how many bytes each part of a training takes at its peak.

    Phases of a training follow each other, and only the largest one is a part. `memory` is `RAM`,
    where a CPU does everything, `GPU memory`, or `RAM beside the GPU`.
    """
    flat = settings.flat()
    n_batch, n_test, every = flat["batch_size"], flat["n_test_samples"], flat["eval_every"]
    backbone, rows = settings.backbone, flat["context_length"] + 1
    vocab = settings.task.vocab_size or tasks.build(settings).vocab_size
    sizes = measure_model(settings, vocab)
    weights, trained, lex = sizes.weights, sizes.trained, sizes.is_random
    width = max(backbone.d_model, flat.get("n_names", 0))
    weights += 4 * flat.get("n_tables", 0) * vocab * width
    beside = BESIDE_MATRICES.get(backbone.name, lambda backbone, n, rows: 0)

    def tables(n: int) -> int:
        return lex * n * vocab * (12 * width + 4 * backbone.d_model)

    def activations(n: int, n_layers: int) -> float:
        numbers = 1.25 * sizes.widths + beside(backbone, n, rows)  # per row, of all layers
        return 4 * n * rows * (numbers * n_layers / backbone.n_layers + 5 * vocab)

    on_gpu, beside_gpu = memory != "RAM beside the GPU", memory != "GPU memory"
    n_longest = max(n_test, flat.get("n_colors", 0))  # one constant sequence per colour
    n_fitting = max(fit.MAX_PREDICTED_NUMBERS // (vocab * rows), 1)
    n_scored = min(n_longest, n_fitting)  # together
    n_predicted = min(n_scored, BATCH_SIZE if beside_gpu else GPU_BATCH_SIZE)  # one layer at a time
    numbers = n_scored * rows * vocab
    n_cached = n_test * rows * vocab * (n_test <= n_fitting)
    n_block = max(BLOCK_SIZE, n_batch)
    references = REFERENCES.get(settings.task.name, lambda settings, n_numbers: 0)
    predicting = activations(n_predicted, 1) + tables(n_scored) + 8 * numbers * (1 + 8 * lex)
    scoring = 8 * numbers * (8 + 28 * lex) + 8 * n_longest * rows * 33
    parts = {
        "libraries": LIBRARIES * (1 + (flat["optimizer"] != "adamw")),
        "weights and moments": on_gpu * (weights + 2 * trained),
        "best weights": beside_gpu * weights,
        "losses between two evaluations": on_gpu * 4 * every,
        "a block of training sequences": beside_gpu * 8 * n_block * rows,
        "references": beside_gpu * references(settings, numbers),
        "cached predictions": beside_gpu * 8 * n_cached * (10 + 16 * lex),
    }
    phases = {
        "activations and gradients of a batch": on_gpu
        * (trained + activations(n_batch, backbone.n_layers) + tables(n_batch)),
        "evaluation": on_gpu * predicting + beside_gpu * scoring,
        "sampling": beside_gpu * n_block * (16 * rows + 32 * flat.get("n_colors", 0)),
        "saving the state": beside_gpu * (10 * weights + 8 * every),
        "joining the checkpoints": beside_gpu * 5 * flat["n_checkpoints"] * weights,
    }
    largest = max(phases, key=phases.__getitem__)
    return {name: round(n) for name, n in {**parts, largest: phases[largest]}.items()}


def free_memory(device: torch.device) -> dict[str, int]:
    """Return how many bytes of each memory are free for a training on a device."""
    if device.type != "cuda":
        return {"RAM": available_ram()}
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return {"GPU memory": free + unused, "RAM beside the GPU": available_ram()}


def require(settings: Settings, free: Mapping[str, int]) -> None:
    """Raise ParameterError if a training does not fit into the free memory, by its estimate."""
    for memory, n_free in free.items():
        parts = estimate(settings, memory)
        largest = max(parts, key=parts.__getitem__)
        if sum(parts.values()) > n_free:
            raise ParameterError(
                f"this training needs about {_in_words(sum(parts.values()))} of {memory}, "
                f"{_in_words(parts[largest])} of them for {largest}, and {_in_words(n_free)} are "
                f"free; {remedy(settings, memory, n_free)}"
            )


def remedy(settings: Settings, memory: str, n_free: int) -> str:
    """Return which setting makes a training fit, halved as often as needed, by the estimate."""
    flat = settings.flat()
    for name in SHRINKABLE:
        present, fitting = int(flat.get(name, 0)), 0
        for n_halvings in reversed(range(1, present.bit_length())):
            value = present >> n_halvings
            with suppress(ValueError):  # some values do not go together
                if sum(estimate(settings.replace(**{name: value}), memory).values()) > n_free:
                    break
                fitting = value
        if fitting:
            return f"use {name} {fitting}, which fits"
    return f"lower several of {', '.join(name for name in SHRINKABLE if name in flat)}"


@contextmanager
def explain_shortage(settings: Settings, free: Mapping[str, int]) -> Iterator[None]:
    """Raise ParameterError of one line, with a setting that fits, where memory runs out in a block.

    `free` is what `free_memory` returned before.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_gpu = isinstance(error, torch.cuda.OutOfMemoryError)
        if not (is_gpu or isinstance(error, MemoryError) or re.search(SHORTAGE, str(error))):
            raise
        error.__traceback__ = None  # its frames hold the tensors
        memory = list(free)[0 if is_gpu else -1]
        raise ParameterError(
            f"memory ran out during the training ({' '.join(str(error).split())[:150]}); "
            f"{remedy(settings, memory, free[memory])} by an estimate"
        ) from None


def _in_words(n_bytes: int) -> str:
    return f"{format_number(n_bytes / 1e9)} GB"
