"""A flipbook: a figure of several pages, which moves in saved notebooks and in the book too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures import figure_card

VIEW = "application/vnd.jupyter.widget-view+json"

PAGES_ONLY = """<style>
.lexurn-pages :is(.lm-TabBar, .p-TabBar) {display: none !important}
.lexurn-pages .widget-tab-contents {border: none !important; padding: 0 !important}
.lexurn-pages .widget-tab-contents {overflow: visible !important}
</style>"""
"""Style that hides the headings of tabs, in the versions 8 and 7 of ipywidgets."""


@dataclass(frozen=True)
class Flipbook:
    """Widgets that are shown together with the card of their figure."""

    box: ipywidgets.VBox
    card: figure_card.Card

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        views = {"text/plain": repr(self.card), VIEW: self.box.get_view_spec()}
        return views | self.card.bundle()


def flipbook(
    plot: Callable[..., Axes],
    table: pd.DataFrame,
    *,
    label: str,
    alts: Sequence[str],
    each: Mapping[str, Sequence[Any]],
    **options: Any,
) -> Flipbook:
    """Return a figure with its card whose pages a slider or a play button shows one at a time.

    `alts` has one alternative text per page; `options` are those of `figure_card.card`. Its `each`
    has the pages' values, which the slider shows. The browser links slider and pages, so saved
    notebooks and pages of the book move too.
    """
    card = figure_card.card(plot, table, each=each, pages=True, **options)
    (values,) = each.values()
    pages = [card.picture(number, alt=alt) for number, alt in enumerate(alts)]
    # Tabs, because `Stack` came with ipywidgets 8, and Colab has 7.
    shown = ipywidgets.Tab([ipywidgets.HTML(page) for page in pages], selected_index=0)
    shown.add_class("lexurn-pages")
    last = len(pages) - 1
    slider = ipywidgets.SelectionSlider(
        options=list(values), description=label, style={"description_width": "initial"}
    )
    player = ipywidgets.Play(value=0, min=0, max=last, interval=700)
    ipywidgets.jslink((player, "value"), (slider, "index"))
    ipywidgets.jslink((slider, "index"), (shown, "selected_index"))
    details = ipywidgets.HTML(card.html(with_picture=False))
    style = ipywidgets.HTML(PAGES_ONLY)
    box = ipywidgets.VBox([style, ipywidgets.HBox([player, slider]), shown, details])
    return Flipbook(box, card)
