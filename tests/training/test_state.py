"""The weights of a network are copied before they are stored."""

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from lexurn import training


def test_weights_that_a_network_uses_twice_are_stored_and_read_back():
    """safetensors refuses tensors that share memory (safetensors issue 98)."""
    network = nn.Module()
    network.first = nn.Linear(2, 2)
    network.second = network.first
    with pytest.raises(RuntimeError, match="share memory"):  # the control
        save(network.state_dict())
    stored = load(save(training.copy_weights(network)))
    assert torch.equal(stored["first.weight"], network.first.weight)
    before = {name: weight.clone() for name, weight in stored.items()}
    nn.init.zeros_(network.first.weight)
    network.load_state_dict(stored)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
