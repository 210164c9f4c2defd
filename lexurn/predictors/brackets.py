"""Oracles of bracket languages, whose generators draw a cap on the length first."""

import torch
from torch.nn.functional import one_hot, pad

from lexurn.generators.rules import Letters, read_brackets
from lexurn.predictors.oracles import Oracle, Probs


class NestedOracle(Oracle):
    """The oracle of nested brackets, whose generator draws a cap m that decides when to close.

    Openings and the matching closing bracket are equally probable while 2 · (openings so far) < m;
    from then on the matching closing bracket is certain. After o openings the cap is 2o, or one of
    the max_length / 2 − o larger caps. Every closing bracket since the last opening was certain
    under the cap 2o, and had probability 1 / (types + 1) under the larger caps.
    """

    def law(self, letters: Letters) -> Probs:
        n_types = self.n_letters // 2
        tops, depths, is_prefix = read_brackets(letters)  # each batch rows
        rows = torch.arange(depths.shape[1])
        opens = pad(letters % 2 == 0, (1, 0))
        n_opened = opens.cumsum(-1)
        n_closed = rows - torch.where(opens, rows, 0).cummax(-1).values  # since the last opening
        is_complete = (depths == 0) & (rows > 0)
        goes_on = pad(is_complete, (1, 0))[:, :-1].cumsum(-1) > 0  # after a complete string
        is_prefix &= ~goes_on & (2 * n_opened <= self.max_length)
        n_larger = (self.max_length // 2 - n_opened).clamp_min(0)
        odds = n_larger * (n_types + 1.0) ** -n_closed.double()
        free = (odds / (1 + odds))[..., None]  # the posterior probability of a larger cap
        choices = torch.arange(self.n_letters + 1)
        is_opening = (choices % 2 == 0) & (choices < self.n_letters)
        law = free / (n_types + 1) * is_opening
        law = torch.where(choices == tops[..., None] + 1, 1 - free * n_types / (n_types + 1), law)
        law[is_complete] = (choices == self.n_letters).double()
        law[:, 0] = is_opening / n_types
        return law * is_prefix[..., None]


class InterleavedOracle(Oracle):
    """The oracle of interleaved brackets: strings of exactly m letters, with a drawn length m.

    Openings and possible closing brackets are equally probable while 2 · (openings so far) < m;
    from then on only closing brackets come. As in `NestedOracle`, m is 2o or larger, and the
    closing brackets since the last opening decide between the two.
    """

    def law(self, letters: Letters) -> Probs:
        counts = pad(one_hot(letters.clamp_min(0), 4).cumsum(1), (0, 0, 1, 0))  # batch rows 4
        depths = counts[..., 0::2] - counts[..., 1::2]  # batch rows 2
        n_opened = counts[..., 0] + counts[..., 2]
        is_prefix = (depths >= 0).all(-1).long().cumprod(-1).bool()
        is_prefix &= 2 * n_opened <= self.max_length
        is_open = (depths > 0).double()
        n_open = is_open.sum(-1)
        closes = letters % 2 == 1
        steps = ((n_open + 2) / n_open.clamp_min(1)).log()[:, :-1]
        log_odds = pad(torch.where(closes, steps, 0.0).cumsum(-1), (1, 0))
        opening_rows = torch.where(closes, 0, torch.arange(1, letters.shape[1] + 1))
        last_opening = pad(opening_rows.cummax(-1).values, (1, 0))
        n_larger = (self.max_length // 2 - n_opened).clamp_min(0)
        odds = n_larger * torch.exp(-(log_odds - log_odds.gather(-1, last_opening)))
        free = torch.where(n_opened == 0, 1.0, odds / (1 + odds))[..., None]  # batch rows 1
        if_free = free / (2 + n_open[..., None])
        if_bound = (1 - free) / n_open[..., None].clamp_min(1)
        closing = (if_free + if_bound) * is_open  # batch rows 2
        brackets = torch.stack([if_free.expand_as(depths), closing], -1).flatten(-2)  # ( ) [ ]
        # with nothing open, a string ends unless its length m is larger
        ends = torch.where(n_open == 0, 1 - free[..., 0], 0.0)
        return torch.cat([brackets, ends[..., None]], -1) * is_prefix[..., None]
