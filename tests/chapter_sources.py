"""Small chapters that tests of the build write into a book of their own."""

HEADER = """# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A chapter

# %% tags=["parameters"]
# Parameters of this chapter.
seed: int = 0  # help

# %%
"""
BODIES = {
    "01_good": "from lexurn import parameters\n"
    "print('seed is', parameters.resolve('good').training.seed)\n",
    "02_other": "import lexurn.base.wording\nprint('other')\n",
}
