"""A stack of LSTM layers (Hochreiter & Schmidhuber 1997): gates decide what a cell keeps, takes in and shows.

Every layer hands its hidden vectors to the next; those of the last are read out, of width d_hidden. What flows between
layers is not seen from outside. There are no positions: the state itself tells the past.
"""

from jaxtyping import Float
from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.hooks import Place
from lexurn.settings import LSTMSettings


class LSTM(nn.Module):
    """Hidden vectors (batch time d_model) to (batch time d_hidden); row t depends on rows 0 … t."""

    RESIDUAL, PLAIN, INITIAL = (), (), {}

    def __init__(self, settings: LSTMSettings, *, n_rows: int | None = None):
        super().__init__()
        self.layers = nn.LSTM(settings.d_model, settings.d_out, settings.n_layers, batch_first=True)
        self.first, self.last = Place("0.resid_pre"), Place(f"{settings.n_layers - 1}.resid_post")

    def forward(self, x: Hidden) -> Float[Tensor, "batch time d_out"]:
        return self.last(self.layers(self.first(x))[0])

    def begin(self) -> list[Tensor]:
        """The state before the first row: hidden vectors and cells of every layer, zero until the first step."""
        return []

    def step(
        self, x: Float[Tensor, "batch d_model"], state: list[Tensor]
    ) -> Float[Tensor, "batch d_out"]:
        """The next row; the state goes on to it."""
        out, state[:] = self.layers(x[:, None], tuple(state) or None)
        return out[:, 0]
