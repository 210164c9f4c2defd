"""What each forecast on names and alphabets is about, in words for a table.

y is the deficit ln(1 − captured). "New − seen" is y on new alphabets minus y on alphabets of the
training.
"""

FORECASTS = {
    "names_at_8_alphabets": "8 alphabets: y with 32 names − with 8",
    "alphabets_at_32_names": "32 names: y with 512 alphabets − with 8",
    "alphabets_explain_more": "share of variance explained: by ln K − by ln N",
    "groups_scale_with_steps": "y: 8 groups of 32 names − 4 names after 250 steps",
    "design_is_like_groups": "(y of 20 lines − y of groups) / (y of any 4 of 16 − y of groups)",
    "new_alphabets_8": "new − seen, 32 names in 8 alphabets",
    "new_alphabets_512": "new − seen, 32 names in 512 alphabets",
    "equivariant_250": "y of the equivariant network, 250 steps",
    "equivariant_2000": "y of the equivariant network, 2000 steps",
    "canonical_250": "y of canonical renaming, 250 steps",
    "canonical_2000": "y of canonical renaming, 2000 steps",
    "tables_4": "4 one-hot tables: from S (−1) to M (+1)",
    "tables_256": "256 one-hot tables: from S (−1) to M (+1)",
    "learned_rows": "any 4 of 32: y with learned vectors − one-hot",
    "unit_rows": "any 4 of 32: y with fixed unit vectors − one-hot",
    "long_any": "any 4 of 32: y after 20 000 steps, constant rate",
    "width": "any 4 of 16: y with width 64 − with 16",
    "three_colours": "three colours: y of any 3 of 32 names − 3 names",
    "rivals": "least of six recipes: y with 32 names − with 4",
    "between_error": "error of two routes in y, 12 and 24 names",
    "between_ratio": "error of two routes / of the additive formula",
    "between_new_12_16": "new − seen, 12 names in 16 alphabets",
    "between_new_12_64": "new − seen, 12 names in 64 alphabets",
    "between_new_24_64": "new − seen, 24 names in 64 alphabets",
    "between_new_24_256": "new − seen, 24 names in 256 alphabets",
    "repeats_16_32": "new − seen, 16 names in 32 alphabets",
    "repeats_24_24": "new − seen, 24 names in 24 alphabets",
    "repeats_32_128": "new − seen, 32 names in 128 alphabets",
    "repeats_8_32": "new − seen, 8 names in 32 alphabets",
    "blocks_of_30": "three blocks of 10: y − y predicted from triples",
    "blocks_of_32": "four blocks of 8: y − y predicted from triples",
    "transfer_lexical": "log steps to M: lexical weights − new weights",
    "transfer_permuted": "log steps to M: permuted weights − lexical",
    "transfer_fresh": "log steps to M: weights from fresh urns − new",
}
"""The text of each forecast, by the key of its claim without `names/`."""

OTHER_UNITS = (
    "alphabets_explain_more",
    "design_is_like_groups",
    "tables_4",
    "tables_256",
    "between_error",
    "between_ratio",
    "transfer_lexical",
    "transfer_permuted",
    "transfer_fresh",
)
"""Forecasts about other numbers than a deficit or a difference of two deficits."""


def is_deficit(key: str) -> bool:
    """Return whether a claim `names/…` is about a deficit or a difference of deficits."""
    return key.partition("/")[2] not in OTHER_UNITS
