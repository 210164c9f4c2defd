"""A step that is recorded and repeated: equal to the plain step, and to itself after a resume.

On a CPU a CUDA graph is imitated: the operations of one step are listed with the tensors that they
read and write, and repeated without Python. What a GPU cannot record is refused.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lexurn import models, tasks, training
from lexurn.base.seeding import generator
from lexurn.runs import fit
from lexurn.settings.resolver import check
from lexurn.training import step

SMALL = {"n_steps": 9, "eval_every": 1, "warmup": 4, "d_model": 16, "context_length": 8}
STRINGS = {"task": "language", "language": "aNbN", "max_length": 8, "context_length": None}
SETTINGS = {
    "normal": {"dropout": 0.2},
    "lexical": {"lex": True, "dropout": 0.2},
    "orthonormal": {"lex": True, "vocabulary": "orthonormal", "grad_clip": 0.0},
    "weighted": {"n_tasks": 0, "target_alpha": [3.0] * 4},
    "lexical strings": {**STRINGS, "lex": True},
    "alibi": {"positions": "alibi", "attention_dropout": 0.1, "embedding_dropout": 0.1},
    "mamba": {"backbone": "mamba"},
    "xlstm": {"backbone": "xlstm", "slstm_at": [0]},
    "linear": {"backbone": "linear"},
    "lstm": {"backbone": "lstm"},
}


class Recording(TorchDispatchMode):
    """The operations of a step with the tensors that they read and write, as a graph has them."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        written = function(*arguments, **(options or {}))
        waits = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}
        if waits & {*function.tags} or "lift_fresh" in str(function):
            raise RuntimeError(f"{function} moves values between Python and the device")
        self.calls.append((function, arguments, options or {}, written))
        return written

    def replay(self):
        with torch._C._AutoDispatchBelowAutograd():  # where they were recorded
            for function, arguments, options, written in self.calls:
                new = tree_leaves(function(*arguments, **options))
                if all(value.alias_info is None for value in function._schema.returns):
                    for before, after in zip(tree_leaves(written), new, strict=True):
                        if isinstance(before, torch.Tensor):
                            before.copy_(after)


class Graph:
    """A CUDA graph on a CPU. Recording has made the first step already, unlike on a GPU."""

    def __init__(self):
        self.recording = Recording()
        self.n_replays = 0

    def replay(self):
        if self.n_replays:
            self.recording.replay()
        self.n_replays += 1


@contextmanager
def record(graph, *, capture_error_mode):
    with graph.recording:
        yield


@pytest.fixture
def imitated(monkeypatch):
    """A function after which steps are recorded on a CPU."""

    def imitate():
        stream = SimpleNamespace(wait_stream=lambda other: None)
        monkeypatch.setattr(step, "can_record", lambda state: True)
        monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
        monkeypatch.setattr(torch.cuda, "stream", nullcontext)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", record)

    return imitate


def train(flat, *, device="cpu", saved=None, saved_step=None):
    """Return the losses of all steps, the weights, and the state before `saved_step`."""
    settings = check({k: v for k, v in (SMALL | flat).items() if v is not None})
    task = tasks.build(settings)
    model = models.build(settings, generator=generator(0, "weights"))
    model.to(device)
    losses, states = [], []

    def checkpoint(step, tensors):
        if step == saved_step:
            states.append({name: tensor.clone() for name, tensor in tensors().items()})

    result = training.train(
        model,
        fit.training_batches(task, device=model.device, start=int((saved or {"step": 0})["step"])),
        training.Callbacks(
            lambda model: {"validation_loss": 0.0},
            lambda metrics, step: losses.append(metrics.get("train_loss")),
            checkpoint,
        ),
        settings=settings.training,
        sequence_weights=task.sequence_weights,
        first_row=task.first_row,
        saved=saved,
    )
    return losses[0 if saved else 1 :], result.last_weights, *states


def equal(weights, others):
    return all(weights[name].equal(others[name]) for name in weights)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_repeated_recording_is_training_bit_for_bit_also_resumed(name, imitated):
    losses, weights = train(SETTINGS[name])
    imitated()
    again, weights_again, saved = train(SETTINGS[name], saved_step=5)
    assert again == losses and equal(weights_again, weights)
    resumed, resumed_weights = train(SETTINGS[name], saved=saved)
    assert resumed == losses[5:] and equal(resumed_weights, weights)


def test_a_learning_rate_in_python_would_be_kept_by_a_recording(imitated, monkeypatch):
    """The control: so would the batch, without buffers."""
    losses, _ = train({})
    imitated()
    monkeypatch.setattr(
        training.TrainState,
        "set_learning_rate",
        lambda self, rate: [g.update(lr=rate) for o in self.optimizers for g in o.param_groups],
    )
    assert train({})[0] != losses


@pytest.mark.parametrize("wait", [float, lambda loss: loss[loss > 0], lambda _: torch.tensor(1.0)])
def test_a_step_that_waits_for_the_device_is_refused_with_a_remedy(wait, imitated):
    imitated()
    losses = step.record_graph(lambda: wait(torch.ones(())))
    assert [float(next(losses)) for _ in range(step.N_WARM_UP)] == [1.0] * step.N_WARM_UP
    with pytest.raises(RuntimeError, match="between Python and the device") as error:
        next(losses)
    assert "LEXURN_GRAPH=0" in error.value.__notes__[0]


def test_a_step_is_recorded_on_a_gpu_alone_where_asked_for_and_with_adamw_alone(monkeypatch):
    def can_record(flat, device):
        model = models.build(check(flat), generator=generator(0, "weights"))
        state = training.TrainState(model, check(flat).training)
        if device == "cuda":  # which this machine may lack
            state.rate = SimpleNamespace(is_cuda=True)
        return step.can_record(state)

    assert not can_record({}, "cuda")
    monkeypatch.setenv("LEXURN_GRAPH", "1")
    assert can_record({}, "cuda") and not can_record({}, "cpu")
    assert not can_record({"optimizer": "muon"}, "cuda")
    assert not can_record({"optimizer": "sgd"}, "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_recorded_on_cuda_is_the_plain_one(name, monkeypatch):
    flat = SETTINGS[name]
    monkeypatch.setenv("LEXURN_GRAPH", "1")
    recorded, weights, saved = train(flat, device="cuda", saved_step=4)
    resumed, _ = train(flat, device="cuda", saved=saved)
    monkeypatch.setenv("LEXURN_GRAPH", "0")
    plain, plain_weights = train(flat, device="cuda")
    assert recorded == pytest.approx(plain, rel=1e-4) and resumed == pytest.approx(
        recorded[4:], rel=1e-4
    )
    for key in weights:
        torch.testing.assert_close(weights[key], plain_weights[key], rtol=1e-2, atol=1e-4)
