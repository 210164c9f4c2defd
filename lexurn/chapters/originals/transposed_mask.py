"""A causal mask that is transposed: outputs see their targets and the future, and no past.

`architectures.published_models` has the published linear model with its own mask, without a mask
and with a causal one. What a row depends on needs no training: it is where its gradient is not 0.
"""

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.architectures.published import VOCAB_SIZE, input_gradients
from lexurn.chapters.architectures.published_models import PositionPairs
from lexurn.generators.strings import EOS, FIRST_LETTER

SHOWN = ("as published", "causal")


def dependence(n_letters: int, seed: int) -> pd.DataFrame:
    """Return the norm of ∂ logits of each row / ∂ each input, untrained: model, row, input, value.

    Row t predicts token t, and input s is token s − 1. The string is a^n b^n of `n_letters`.
    """
    half = n_letters // 2
    letters = [FIRST_LETTER] * half + [FIRST_LETTER + 1] * half + [EOS]
    tables = []
    for mask in SHOWN:
        stream = generator(seed, "transposed mask")
        model = PositionPairs(VOCAB_SIZE, n_rows=n_letters + 1, mask=mask, generator=stream)
        values = input_gradients(model, torch.tensor([letters]))
        wide = pd.DataFrame(values.detach().numpy()).rename_axis("row").reset_index()
        table = wide.melt("row", var_name="input").astype({"input": int})
        tables.append(table.assign(model=mask))
    return pd.concat(tables, ignore_index=True)


def future_share(table: pd.DataFrame) -> pd.Series:
    """Return, by model, the share of gradients that come from a row's target or later tokens."""
    is_future = table["input"] > table["row"]
    total = table.groupby("model", sort=False)["value"].sum()
    return table[is_future].groupby("model", sort=False)["value"].sum().reindex(total.index) / total
