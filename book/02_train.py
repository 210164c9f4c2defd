# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training: which predictor does a model become?
#
# An urn holds balls of $V$ colours in proportions $\theta$. We draw balls with replacement and ask a small
# transformer for the colour of the next one. It is trained on sequences from a *pool* of $D$ urns, and nothing
# tells it that urns exist. Three exact predictors say what it could have learned, each being the best that can be
# done under its own idea of where urns come from:
#
# - **G, generalizing**: the urn could be any, $\theta \sim \text{Dirichlet}(\alpha)$. After $t$ balls, $n_v$ of them of
#   colour $v$, it predicts $(n_v + \alpha) / (t + V\alpha)$: it counts.
# - **M, memorizing**: the urn is one of the $D$ that were trained on. It recognizes which.
# - **S, symmetrized**: the urn is one of the $D$, but its colours may have been renamed. It recognizes the urn *up to
#   the names of its colours*.
#
# A model with learned embeddings (`lex = False`, *normal*) can become M. A **lexical** model (`lex = True`) gets
# a new random embedding table for every sequence, so no weight of it can know a colour's name: the best that it
# can become is S. Whether it gets there, or stays near G, is what this book is about. (With
# `n_tasks = 0` there is no pool and nothing to memorize: G itself is then the best.)

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal: `papermill book/02_train.ipynb out.ipynb -p lex True`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
task: str = "urns"  # what is sampled: urns (coins are urns of two colours), language, text
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
context_length: int = 32  # most tokens that the model sees before a prediction
label_permuted: bool = False  # rename colours, letters or tokens of every training sequence at random
lex: bool = False  # lexical invariance: redraw the embedding table for every sequence
backbone: str = "transformer"  # what computes in between: transformer, lstm, mamba, xlstm, linear
d_model: int = 32  # width of embedded tokens and between layers
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
seed: int = 0  # the seed that every random stream is derived from
# Also: every setting of a run (see the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("train")

# %% [markdown]
# ## The model
#
# A start vector stands before the first ball, so the model predicts that one too. Row $t$ of its prediction has
# seen $t$ balls and nothing later.

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from lexurn import evaluation, figure, models, runs, set_threads, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.train import live, one_run
from lexurn.chapters.train import plots as chapter_plots
from lexurn.figures import plots
from lexurn.runs import fit
from lexurn.runs.tracking import duration

set_threads(settings.machine.threads)
spare = models.build(settings, generator=generator(settings.training.seed, "weights"))
pd.Series(models.summary(spare), name="parameters").to_frame()

# %% tags=["hide-input"]
kind = settings.kind
stored = runs.is_stored(settings)
display(
    Markdown(
        f"**{settings.training.n_steps} steps** of {settings.training.batch_size} sequences for a {kind} model, "
        + ("already trained: it will be loaded." if stored else f"about {duration(fit.estimate(settings))} here.")
    )
)

# %% [markdown]
# ## Training
#
# While it trains, and when it is done: left, the loss; right, how far the model's predictions on *fresh* urns are from
# each exact predictor (symmetrized KL, ½ KL(p‖q) + ½ KL(q‖p), in nats, mean over rows). Of words, which an oracle
# predicts with certainties that no model has, the regret: what is lost more than by the oracle. (Of a text, of which
# nobody knows the best prediction, the distances to what counts of tokens and of pairs would say.) For a lexical
# model, these curves use one random table per sequence, as training does. The axis of the steps says so.

# %% tags=["hide-input"]
data = tasks.build(settings)
judged = {"split": data.splits[0], "measure": data.measure}
run = runs.get(settings, tracker=live.LiveTraining(settings.training.n_steps, **judged))
views = {"each": {"view": ["losses", "distances"]}, "legend": "distance to", **judged}
alt = "Along training: the loss on training and validation sequences, and the distances to the exact predictors."
figure(chapter_plots.training, run.metrics, runs=[run], alt=alt, n="1 model, its held-out sequences", **views)

# %% [markdown]
# ## What was learned
#
# Distances (of words, regrets) of the *best* weights (least validation loss along training), with standard errors
# over the held-out sequences: `mean` averages over rows 1 … C, `last` is the last row, which has seen all C balls.
# *In distribution* means new sequences from the trained pool, *out of distribution* a fresh urn for every sequence,
# *low entropy* the constant sequences, one per colour (all there are, so ± is their spread). Of a lexical model,
# probabilities are averaged over random tables (`N_TABLES` in `lexurn.runs.fit`), an ensemble that predicts better
# than its members do on average. `evaluation.summary(run.results, measure="single_table_symmetrized_kl")` shows the
# distances with one table per sequence, which continue the curves above.

# %% tags=["hide-input"]
evaluation.summary(run.results)

# %% tags=["hide-input"]
display(Markdown(one_run.describe(run)))

# %% [markdown]
# Row by row, with two standard errors around each line. A model that has become one of the three would show it by one
# line far below the others, at every row. (The sentence above is sharper than overlapping bands: it compares distances
# on the same sequences.) What one urn shows need not hold for others: the pool was drawn once, from the seed.

# %% tags=["hide-input"]
splits = one_run.shown_splits(run)
rows = run.results[run.results["measure"] == run.task.measure]
alt = "Distances of the model to the exact predictors against the tokens seen, a panel a split."
panels = {"each": {"split": splits}, "share_y": True, "legend": "distance to"}
figure(plots.distances_by_row, rows, runs=[run], alt=alt, n=f"{rows['n'].max()} sequences a split", **panels)

# %% [markdown]
# ## One sequence, ball by ball
#
# The same fresh urn seen by the model and by the exact predictors: a line for the probability of each colour, drawn
# in it, and below, the balls as they came. M knows its pool before any ball is drawn (with a single urn it never
# moves). G starts from its prior and counts. (Of words: a word, its letters below, E for its end and · behind it. Of a
# text: some tokens from its middle, and a line for each that comes there.)

# %% tags=["hide-input"]
who = {f"this {kind} model": run.predictor, **run.references}
table, names = one_run.along_one_sequence(run, who)
alt = "The probability of each token, one by one, on one sequence: a panel for the model and each exact predictor."
panels = {"by": "predictor", "share_y": True, "size": (3.2, 3.2), "names": names}
figure(plots.predictions, table, runs=[run], alt=alt, n="1 sequence", **panels)

# %% [markdown]
# ## Where it is, and what to try next

# %% tags=["hide-input"]
display(
    Markdown(
        f"The run is stored under `{run.path.parent.name}/`; `runs.load('{run.path.name}')` brings it back with "
        f"settings, metrics and predictor. The command that makes it again: `{run.provenance['command']}` "
        f"({run.provenance['duration']} on {run.provenance['device']})."
    )
)

# %% [markdown]
# - `-p lex True`: the same data for a lexical model. Does it come to M?
# - `-p n_tasks 16`, then `256`: from how many urns on does a normal model count instead of remembering?
# - `-p label_permuted True`: learned embeddings, but every training sequence has its colours renamed at random. The
#   optimum is S, as for a lexical model. Is it the data or the architecture that makes the difference?
# - `-p n_tasks 0`: a fresh urn for every sequence, where G itself is the optimum.
# - `-p lex True -p n_steps 10000`: trained longer, does a lexical model come nearer to S, to G, or to both?
# - `-p backbone lstm`: a recurrent network in the transformer's place. Which is nearer to what it could become?
# - `-p language dyck`: words of brackets instead of balls, whose oracle is exact too (`07_rules` asks more of such
#   models).
# - `-p task text -p context_length 64`: plays by Shakespeare, token by token (`09_geometry` looks inside such models).
# - `-p lex True -p vocabulary original`: the tables of the original experiment. How much slower do they learn?
