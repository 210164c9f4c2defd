"""A stack of LSTM layers (Hochreiter & Schmidhuber 1997).

Every layer passes its hidden vectors to the next; the last layer's have the width d_hidden and are
read out. Activations between the layers have no hook points. Positional encodings are not needed,
because the state summarizes the past.
"""

from jaxtyping import Float
from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone, HookPoint
from lexurn.settings import LSTMSettings


class LSTM(Backbone):
    """A stack of LSTM layers; d_out is d_hidden."""

    def __init__(self, settings: LSTMSettings, *, n_rows: int | None = None):
        super().__init__()
        self.layers = nn.LSTM(settings.d_model, settings.d_out, settings.n_layers, batch_first=True)
        self.first = HookPoint("0.resid_pre")
        self.last = HookPoint(f"{settings.n_layers - 1}.resid_post")

    def forward(self, x: Hidden) -> Float[Tensor, "batch time d_out"]:
        return self.last(self.layers(self.first(x))[0])

    def initial_state(self) -> list[Tensor]:
        """Return an empty list; `step` keeps in it the hidden vectors and cells of all layers."""
        return []

    def step(
        self, x: Float[Tensor, "batch d_model"], state: list[Tensor]
    ) -> Float[Tensor, "batch d_out"]:
        out, state[:] = self.layers(x[:, None], tuple(state) or None)
        return out[:, 0]
