"""A part from outside that breaks its contract is refused before anything is trained."""

import sys
from types import ModuleType
from typing import Literal

import pytest
import torch
from pydantic import Field
from torch import nn

from lexurn.base.errors import ParameterError
from lexurn.models.backbone import Backbone
from lexurn.models.vocabulary import RandomVocabulary
from lexurn.predictors import Generalizing
from lexurn.runs import trial
from lexurn.settings import (
    PositionFreeSettings,
    TaskSettings,
    VocabularySettings,
    registry,
    resolver,
)
from lexurn.tasks import Task

SMALL = {"n_steps": 2, "eval_every": 1, "n_test_samples": 8, "context_length": 8}


class FairSettings(TaskSettings):
    name: Literal["fair"] = "fair"

    @property
    def vocab_size(self):
        return 3


class Fair(Task):
    splits = ("fresh",)
    optimum = "counting"

    def sample(self, n, length, *, generator):
        return torch.randint(3, (n, length), generator=generator)

    def held_out(self):
        return {"fresh": self.sample(8, self.length, generator=self.stream("held out"))}

    def references(self):
        return {"counting": Generalizing(3)}


class SumsSettings(PositionFreeSettings):
    name: Literal["sums"] = "sums"


class Sums(Backbone):
    def __init__(self, settings, *, n_rows):
        super().__init__()
        self.linear = nn.Linear(settings.d_model, settings.d_model)

    def forward(self, x, state=None):
        state = {} if state is None else state
        sums = state.get("sum", 0) + x.cumsum(1)
        state["sum"] = sums[:, -1:]
        return self.linear(sums)


@pytest.fixture
def outside(monkeypatch):
    """Register a module's classes, changed by a test, and return the settings of their run."""

    def register(task=Fair, backbone=Sums):
        module = ModuleType("somewhere_else")
        module.Task, module.Backbone = task, backbone
        monkeypatch.setitem(sys.modules, module.__name__, module)
        entries = {section: dict(each) for section, each in registry._ENTRIES.items()}
        monkeypatch.setattr(registry, "_ENTRIES", entries)
        registry.register("task", FairSettings, "somewhere_else:Task")
        registry.register("backbone", SumsSettings, "somewhere_else:Backbone")
        return resolver.check({"task": "fair", "backbone": "sums", **SMALL})

    yield register
    registry.flat_names.cache_clear()


def with_method(cls, **methods):
    return type(cls.__name__, (cls,), methods)


def test_parts_that_keep_their_contract_pass(outside, capsys):
    trial.require(outside())
    assert capsys.readouterr().err == ""


def is_token(self):
    """A reference that knows the token that it predicts."""
    return {"counting": lambda tokens: (nn.functional.one_hot(tokens, 3) * 9.0).log_softmax(-1)}


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"sample": lambda s, n, length, generator: torch.zeros(n).long()}, "shape .n, length."),
        ({"sample": lambda s, n, length, generator: [0]}, "shape .* got list"),
        (
            {"sample": lambda s, n, length, generator: torch.randint(3, (n, length))},
            "sample must draw from its generator alone",
        ),
        (
            {"sample": lambda s, n, length, generator: torch.full((n, length), 5)},
            "fair .somewhere_else:Task., sample: tokens must lie in 0 … 2",
        ),
        (
            {"sample": lambda s, n, length, generator: torch.zeros(n, length)},
            "tokens must be a torch tensor of int64",
        ),
        ({"splits": ("fresh", "stale")}, "held_out must return the splits fresh, stale, got fresh"),
        ({"held_out": lambda s: {"fresh": torch.zeros(4, 40).long()}}, r"context_length \+ 1 = 9"),
        ({"optimum": "best"}, "optimum must be one of the references counting, got 'best'"),
        (
            {"references": lambda s: {"counting": lambda tokens: torch.zeros(*tokens.shape, 3)}},
            "reference counting: .* add up to 1",
        ),
        (
            {"references": lambda s: {"counting": Generalizing(4)}},
            r"= \(4, 9, 3\) here, got",
        ),
        ({"references": is_token}, "reference counting: .* row t may use only"),
    ],
)
def test_a_task_that_breaks_its_contract_is_refused(outside, methods, message):
    with pytest.raises(ParameterError, match=message):
        trial.require(outside(task=with_method(Fair, **methods)))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda s, x, state=None: s.linear(x)[..., :5], r"d_out\) = \(2, 9, 32\), got \(2, 9, 5\)"),
        (lambda s, x, state=None: s.linear(x)[:, 1:], r"got \(2, 8, 32\)"),
        (lambda s, x, state=None: s.linear(x) + x.mean(1, keepdim=True), "make it causal"),
    ],
)
def test_a_backbone_that_breaks_its_contract_is_refused(outside, forward, message):
    with pytest.raises(ParameterError, match=f"backbone sums .*{message}"):
        trial.require(outside(backbone=with_method(Sums, forward=forward)))


def test_a_backbone_that_is_any_module_is_refused(outside):
    with pytest.raises(ParameterError, match="backbone sums .*: derive it from .*Backbone"):
        trial.require(outside(backbone=nn.Linear))


class SignsSettings(VocabularySettings):
    name: Literal["signs"] = "signs"
    lex: bool = Field(True, description="lexical invariance")


class Signs(RandomVocabulary):
    has_new_tables = False

    def draw(self, n_sequences, *, generator):
        shape = (n_sequences, self.n_symbols, self.width)
        return 2.0 * torch.randint(2, shape, generator=generator) - 1


class Unreadable(Signs):
    """A vocabulary with a logit too few."""

    def unembed(self, hidden, table):
        return super().unembed(hidden, table)[..., 1:]


class Incomplete(nn.Module):
    """A vocabulary without `is_random` and `row`."""

    draw, embed, unembed = Signs.draw, Signs.embed, Signs.unembed

    def __init__(self, vocab_size, d_model, settings, *, n_special, d_out):
        super().__init__()


def test_a_vocabulary_that_breaks_its_contract_is_refused(outside):
    settings = outside()
    registry.register("vocabulary", SignsSettings, "somewhere_else:Vocabulary")
    settings = settings.replace(vocabulary="signs", lex=True)
    module = sys.modules["somewhere_else"]
    module.Vocabulary = Signs
    trial.require(settings)
    module.Vocabulary = Unreadable
    with pytest.raises(ParameterError, match=r"vocabulary signs .*= \(4, 9, 3\) here, got"):
        trial.require(settings)
    module.Vocabulary = Incomplete
    with pytest.raises(ParameterError, match="vocabulary signs needs is_random, row; see"):
        trial.require(settings)


@pytest.mark.parametrize(
    ("forward", "problem"),
    [
        (lambda s, x, state=None: s.linear(x.cumsum(1)), "the rows differ"),
        (lambda s, x: s.linear(x.cumsum(1)), "TypeError"),
    ],
)
def test_a_backbone_that_ignores_its_state_trains_with_a_warning(outside, forward, problem, capsys):
    trial.require(outside(backbone=with_method(Sums, forward=forward)))
    err = capsys.readouterr().err
    assert "warning: backbone sums" in err and problem in err


def test_an_error_inside_a_part_stays_as_it_is_with_a_note(outside):
    with pytest.raises(ZeroDivisionError) as caught:
        trial.require(outside(task=with_method(Fair, references=lambda s: 1 / 0)))
    assert "task fair (somewhere_else:Task) was tried" in caught.value.__notes__[0]
    incomplete = type("Incomplete", (Task,), {"splits": (), "optimum": ""})
    with pytest.raises(TypeError, match="abstract methods? held_out, references, sample"):
        trial.require(outside(task=incomplete))


def test_parts_of_the_library_are_not_tried(monkeypatch):
    monkeypatch.setattr(trial, "_try_task", lambda *_: 1 / 0)
    monkeypatch.setattr(trial, "_try_model", lambda *_: 1 / 0)
    trial.require(resolver.check(SMALL))
