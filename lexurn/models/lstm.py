"""A stack of LSTM layers (Hochreiter & Schmidhuber 1997).

Every layer passes its hidden vectors to the next; the last layer's have the width d_hidden and are
read out. Activations between the layers have no hook points. Positional encodings are not needed,
because the state summarizes the past.
"""

from jaxtyping import Float
from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone, HookPoint, State
from lexurn.settings import LSTMSettings


class LSTM(Backbone):
    """A stack of LSTM layers; d_out is d_hidden."""

    def __init__(self, settings: LSTMSettings, *, n_rows: int | None = None):
        super().__init__()
        self.layers = nn.LSTM(settings.d_model, settings.d_out, settings.n_layers, batch_first=True)
        self.first = HookPoint("0.resid_pre")
        self.last = HookPoint(f"{settings.n_layers - 1}.resid_post")
        self.dropout = nn.Dropout(settings.output_dropout)

    def forward(self, x: Hidden, state: State | None = None) -> Float[Tensor, "batch time d_out"]:
        """Map all rows or, with a state, the next row; `state["layers"]` keeps what LSTMs keep."""
        state = {} if state is None else state
        out, state["layers"] = self.layers(self.first(x), state.get("layers"))
        return self.dropout(self.last(out))
