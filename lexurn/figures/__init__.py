"""Figures: drawing, their cards, the looks of all entities, and widgets."""

CARD_TYPE = "application/vnd.lexurn.card+json"
"""The MIME type of a figure's card among the forms of an output: its `about` and its `table`."""
