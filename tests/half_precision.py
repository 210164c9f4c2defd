"""What torch predicts from weights in half precision, for comparisons with models in a page."""

import copy

import numpy as np
import torch

from lexurn.base.seeding import generator

TOLERANCE = 1e-5  # between probabilities in a page and in torch


def half_rounded(model):
    """The model in double precision, with all weights and fixed tensors in half precision."""
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (*rounded.parameters(), *rounded.buffers()):
            tensor.copy_(tensor.half())
    return rounded.double().eval()


def torch_prediction(model, settings, tokens, *, n_tables, order=None):
    """The probabilities that torch computes; `order` says which row of a random table is where."""
    rounded = half_rounded(model)
    stream = generator(settings.training.seed, "evaluation tables")
    tables = model.vocabulary.draw(n_tables, generator=stream).half().double()
    with torch.no_grad():
        if not model.vocabulary.is_random:
            return rounded(tokens)[0].exp().numpy()
        tables = tables if order is None else tables[:, order]
        return np.mean([rounded(tokens, table=one[None])[0].exp() for one in tables], axis=0)
