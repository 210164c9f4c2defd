"""One training step, and the same step recorded as a CUDA graph.

A step of a small model is hundreds of kernels that run for a shorter time than it takes to launch
them. On a GPU the whole step (forward, backward, clipping, AdamW) can therefore be recorded once,
as one CUDA graph, and launched at once from then on: with `LEXURN_GRAPH=1`. A graph repeats the
same kernels on the same memory. So the inputs of a step are copied into buffers, the learning rate
and AdamW's step count are tensors, and everything that draws from a generator of ours stays
outside: batches, tables and weights. Dropout draws from the global generator, which torch registers
with every graph.

The tests imitate a graph on a CPU: they repeat the operations of one step without Python, with
every backbone, and the results equal those of plain steps bit for bit, also after a resume. The
recording itself **has not run on a GPU yet**, and its speed is unknown: none was available when
this module was written. That is why it has to be asked for. A prototype took 2.9 ms a step recorded
and 10 ms plain on a GPU, where four trainings side by side were three times as fast as one after
the other. A test on a GPU compares recorded with plain steps.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.shapes import Tokens
from lexurn.settings import TrainingSettings
from lexurn.training.state import FusedAdamW, TrainState

N_WARM_UP = 3
"""Steps before the recording, in which libraries allocate their workspaces."""

Step = Callable[..., Tensor]


def build_step(
    state: TrainState, settings: TrainingSettings, *, first_row: int, bf16: bool
) -> Step:
    """Return a function that makes one update and returns the mean loss of the batch.

    It takes `tokens`, the random tables of a lexical model as `table`, and the `weights` of the
    sequences, if there are any, always the same of these and of the same shape. The returned loss,
    a number on the device, is a mean over the rows from `first_row` on.
    """
    model = state.model

    def step(tokens: Tokens, table: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        with torch.autocast(tokens.device.type, torch.bfloat16) if bf16 else nullcontext():
            log_probs = model(tokens, table=table)
        loss = negative_log_likelihood(log_probs, tokens)  # batch time
        if weights is not None:
            loss = loss * weights[:, None]
        loss.mean().backward()
        if settings.grad_clip:
            nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        for optimizer in state.optimizers:
            optimizer.step()
        model.zero_grad()
        return loss.detach()[:, first_row:].mean()

    return BufferedStep(step) if can_record(state) else step


class BufferedStep:
    """A step that is recorded on buffers, into which its inputs are copied."""

    def __init__(self, step: Step):
        self.step = step
        self.buffers: dict[str, Tensor] = {}

    def __call__(self, **inputs: Tensor) -> Tensor:
        if not self.buffers:
            self.buffers = {name: torch.empty_like(x) for name, x in inputs.items()}
            self.losses = record_graph(partial(self.step, **self.buffers))
        for name, x in inputs.items():
            self.buffers[name].copy_(x)
        return next(self.losses)


def record_graph(step: Callable[[], Tensor]) -> Iterator[Tensor]:
    """Make a step each time, and yield its loss.

    The first `N_WARM_UP` are plain steps. The next one is recorded as a CUDA graph, which is
    launched from then on.
    """
    stream = torch.cuda.Stream()
    for _ in range(N_WARM_UP):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = step()
        torch.cuda.current_stream().wait_stream(stream)
        yield loss
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            loss = step()
    except RuntimeError as error:
        error.add_note("a step of this model cannot be recorded; LEXURN_GRAPH=0 trains without it")
        raise
    while True:
        graph.replay()
        yield loss


def can_record(state: TrainState) -> bool:
    """Return whether steps are recorded: on a GPU, with LEXURN_GRAPH=1, by AdamW.

    Muon and SGD read the learning rate as a number of Python, which a graph would keep.
    """
    is_adamw = all(isinstance(optimizer, FusedAdamW) for optimizer in state.optimizers)
    return state.rate.is_cuda and is_adamw and os.environ.get("LEXURN_GRAPH") == "1"
