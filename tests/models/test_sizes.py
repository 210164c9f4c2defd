"""Sizes of models that are built without memory, against those of the models themselves."""

import pytest
import torch
from small_settings import TRANSFORMERS

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.models import sizes
from lexurn.models.sizes import measure_model
from lexurn.settings.resolver import check

SMALL = [
    *TRANSFORMERS.values(),
    {"positions": "sinusoidal"},
    {"backbone": "lstm", "d_hidden": 24, "tied": False},
    {"backbone": "mamba", "n_layers": 2},
    {"backbone": "xlstm", "n_layers": 2, "slstm_at": [1]},
    *({"backbone": name} for name in ("linear", "bag", "equivariant")),
    {"lex": True, "tied": False, "language": "dyck"},
    {"vocabulary": "names", "name_vectors": "learned", "n_names": 8, "n_alphabets": 3},
    {"vocabulary": "canonical"},
]


@pytest.mark.parametrize("flat", SMALL, ids=str)
def test_they_are_those_of_the_model(flat):
    settings = check(flat)
    before = torch.get_rng_state()
    measured = measure_model(settings, settings.task.vocab_size)
    assert before.equal(torch.get_rng_state())
    model = models.build(settings, generator=generator(0, "weights"))
    assert measured.weights == sum(tensor.nbytes for tensor in model.state_dict().values())
    assert measured.trained == sum(parameter.nbytes for parameter in model.parameters())
    assert measured.is_random == model.vocabulary.is_random
    wider = measure_model(settings.replace(n_layers=3), settings.task.vocab_size)
    assert wider.weights > measured.weights and wider.widths > measured.widths


class NeedsValues(models.LanguageModel):
    """A model whose constructor computes with values, as one from outside may."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.more = torch.nn.Parameter(torch.rand(3) * torch.ones(1).item())


def test_a_constructor_that_needs_values_gets_them(monkeypatch):
    settings = check({})
    before, usual = torch.get_rng_state(), measure_model(settings, 4)
    monkeypatch.setattr(sizes, "LanguageModel", NeedsValues)
    assert measure_model(settings, 4).trained == usual.trained + 3 * 4
    assert before.equal(torch.get_rng_state())


def test_a_model_that_no_machine_has_room_for_has_sizes():
    measured = measure_model(check({"d_model": 65_536, "n_layers": 3}), 4)
    matrices = 3 * (4 + 3 * 4)  # squares of d_model: attention, and a gated MLP of four widths
    assert measured.trained == pytest.approx(4 * matrices * 65_536**2, rel=1e-3)
    widths = 3 * (10 + 4 + 15) + 2  # attention with biases, norms, MLP; the last norm
    assert measured.widths == widths * 65_536
