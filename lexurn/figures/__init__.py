"""Figures: drawing, their cards, the looks of all entities, and widgets."""

#: The MIME type of a figure's card among the forms of an output: its `about` and its `table`.
CARD_TYPE = "application/vnd.lexurn.card+json"
