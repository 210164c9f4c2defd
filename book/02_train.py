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
# :::{admonition} In brief
# :class: brief
#
# **Question.** A small transformer sees balls drawn from urns and predicts the next colour. Which rule does it learn?
#
# **What we do.** We train one model and compare its predictions with three exact predictors: one that counts
# ({term}`G <generalizing predictor>`), one that remembers the urns of its {term}`pool`
# ({term}`M <memorizing predictor>`), and one that remembers the urns but not the names of their colours
# ({term}`S <symmetrized predictor>`).
#
# **What we find.**
#
# - A {term}`model with learned embeddings <normal model>`, trained on a single urn, becomes M.
# - A {term}`lexical model` {cite}`huang2023lexinvariant` cannot become M. At its best it becomes S; the next chapters
#   ask whether it gets there.
#
# **How sure.** This page has one model. [Chapter 3](03_evaluate) compares kinds of models on equal terms, and
# [chapter 4](04_analysis) repeats the comparison over many urns.
# :::

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
task: str = "urns"  # what is sampled: urns, language, text
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
context_length: int = 32  # most tokens that the model sees before a prediction
label_permuted: bool = False  # rename the tokens of every training sequence at random
lex: bool = False  # lexical invariance: redraw the embedding table for every sequence
backbone: str = "transformer"  # transformer|lstm|mamba|xlstm|linear|bag|equivariant
d_model: int = 32  # width of embedded tokens and between layers
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
seed: int = 0  # the seed that every random stream is derived from
# Also: every setting of a run (see the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("train")

# %% [markdown]
# ## Three rules for the next ball
#
# An urn holds balls of $V$ colours in proportions $\theta$. We draw balls with replacement and ask the model for the
# colour of the next one. It is trained on sequences from a *pool* of $D$ urns, and nothing tells it that urns exist.
# Suppose that the training urn is 70 % red, 20 % blue and 10 % green, and that a new sequence begins *blue, blue,
# blue*. What comes next? The answer depends on what we believe about urns:
#
# - **G**, the {term}`generalizing predictor`: the urn could be any. Three blue balls suggest that blue is common.
# - **M**, the {term}`memorizing predictor`: the urn is the training urn. Three blue balls were bad luck, and red is
#   still the best guess.
# - **S**, the {term}`symmetrized predictor`: the urn has these proportions, but its colours may have been renamed.
#   Three blue balls suggest that blue is now the name of the common colour.
#
# Write $n_v$ for how often colour $v$ was seen among the first $t$ balls. If urns come from a Dirichlet distribution
# with concentration $\alpha$, the best prediction is
#
# $$ p_G(v) = \frac{n_v + \alpha}{t + V\alpha}. $$ (train-generalizing)
#
# If the urn is one of the $D$ urns $\theta_1, \dots, \theta_D$ of the pool, Bayes' rule weighs each urn by how likely
# it makes the balls:
#
# $$ p_M(v) = \sum_d w_d \, \theta_{dv}, \qquad w_d \propto \prod_i \theta_{di}^{\,n_i}. $$ (train-memorizing)
#
# If the colours may have been renamed by any permutation $\pi$, the sum runs over all renamings too:
#
# $$ \begin{gathered}
# p_S(v) = \sum_d \sum_\pi w_{d\pi} \, \theta_{d\,\pi(v)}, \\
# w_{d\pi} \propto \prod_i \theta_{d\,\pi(i)}^{\,n_i}.
# \end{gathered} $$ (train-symmetrized)
#
# In code, {eq}`train-generalizing` to {eq}`train-symmetrized` are three predictors that take the balls and return log
# probabilities:

# %%
import torch

from lexurn.predictors import Generalizing, Memorizing, Symmetrized

urn = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)  # red, blue, green
balls = torch.tensor([[1, 1, 1, 0]])  # blue, blue, blue, then any ball
rules = {"G": Generalizing(3), "M": Memorizing(urn), "S": Symmetrized(urn)}
blue = {name: rule(balls)[0, :, 1].exp() for name, rule in rules.items()}

# %% tags=["hide-input"]
import pandas as pd

from lexurn import table as show_table

example = pd.DataFrame({"seen": range(4), **{name: values.tolist() for name, values in blue.items()}})
caption = "G and S come to expect blue after three blue balls; M, which knows the urn, never does."
assert blue["M"][3] < 0.21 < 0.5 < min(blue["G"][3], blue["S"][3])
show_table(example, {"seen": "blue balls seen", **{name: f"probability of blue, {name}" for name in rules}},
           caption=caption, name="three_blue_balls")

# %% [markdown]
# A model with learned embeddings (`lex = False`, *normal*) can become M. A **lexical** model (`lex = True`) gets a new
# random embedding table for every sequence, so its weights cannot store anything about a particular colour: the best
# that it can become is S. With `n_tasks = 0` there is no pool and nothing to memorize: G itself is then the best.

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from lexurn import figure, models, runs, set_threads, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.train import live, one_run
from lexurn.chapters.train import plots as chapter_plots
from lexurn.figures import plots
from lexurn.runs import fit
from lexurn.runs.tracking import duration

set_threads(settings.machine.threads)

# %% [markdown]
# ## Training the model
#
# A start vector stands before the first ball, so the model predicts that ball too. Row $t$ of its prediction has seen
# $t$ balls and nothing later.

# %% tags=["hide-input"]
kind = settings.kind
stored = runs.is_stored(settings)
display(
    Markdown(
        f"**{settings.training.n_steps} steps** of {settings.training.batch_size} sequences for a {kind} model, "
        + ("already trained: it will be loaded." if stored else f"about {duration(fit.estimate(settings))} here.")
    )
)

# %%
data = tasks.build(settings)
judged = {"split": data.splits[0], "measure": data.measure}
tracker = live.LiveTraining(settings.training.n_steps, **judged)
run = runs.get(settings, tracker=tracker)

# %% [markdown]
# If the model becomes one of the three, its distance to that predictor should fall towards zero while the loss falls,
# and the other distances should settle at the distances between the predictors themselves. We measure the distance by
# the symmetrized KL divergence on *fresh* urns, which the model has never seen:
#
# $$ d(p, q) = \tfrac{1}{2} \mathrm{KL}(p \,\|\, q) + \tfrac{1}{2} \mathrm{KL}(q \,\|\, p), $$ (train-distance)
#
# in nats, averaged over rows and sequences.

# %% tags=["hide-input"]
views = {"each": {"view": ["losses", "distances"]}, "legend": "distance to", **judged}
alt = "Along training: the loss on training and validation sequences, and the distances to the exact predictors."
words = {"alt": alt, "n": "1 model, its held-out sequences", "caption": one_run.caption_training(run)}
figure(chapter_plots.training, run.metrics, runs=[run], **words, **views)

# %% [markdown]
# ## What the model became
#
# The table has the distances of the *best* weights, those with the least validation loss along training. *Mean*
# averages over rows $1 \dots C$; *last* is the last row, which has seen all $C$ balls. *In distribution* means new
# sequences from the training pool, *out of distribution* a fresh urn for every sequence, *low entropy* the constant
# sequences.

# %% tags=["hide-input"]
show_table(one_run.distances(run), nearest=list(run.references), name="distances", caption=one_run.caption_table(run))

# %% tags=["hide-input"]
display(Markdown(one_run.describe(run)))

# %% [markdown]
# A mean over rows can hide a change of rule: a model may count at first and recognize the urn later. So we look row by
# row, with two standard errors around each line. A model that has become one of the three has one line far below the
# others, at every row.

# %% tags=["hide-input"]
splits = one_run.shown_splits(run)
rows = run.results_by_row[run.results_by_row["measure"] == run.task.measure]
alt = "Distances of the model to the exact predictors against the tokens seen, one panel per split."
panels = {"each": {"split": splits}, "share_y": True, "legend": "distance to"}
words = {"alt": alt, "n": f"{rows['n'].max()} sequences a split", "caption": one_run.caption_rows(run)}
figure(plots.distances_by_row, rows, runs=[run], **words, **panels)

# %% [markdown]
# ## One sequence, ball by ball
#
# Numbers are averages; here is one fresh urn, seen by the model and by the exact predictors. There is one line for the
# probability of each colour, drawn in that colour, and the balls stand below as they came. M knows its pool before any
# ball is drawn: with a single urn its lines never move. G starts from its prior and counts.

# %% tags=["hide-input"]
who = {f"this {kind} model": run.predictor, **run.references}
along, names = one_run.along_one_sequence(run, who)
alt = "The probability of each token, one by one, on one sequence: one panel for the model and each exact predictor."
panels = {"by": "predictor", "share_y": True, "size": (3.2, 3.2), "names": names}
words = {"alt": alt, "n": "1 sequence", "caption": one_run.caption_sequence(along)}
figure(plots.predictions, along, runs=[run], **words, **panels)

# %% [markdown]
# :::{admonition} Details and controls
# :class: dropdown
#
# - ± is one standard error over the held-out sequences. The low-entropy split holds only one sequence per colour, so
#   its ± shows how much these few sequences differ, and not how sure the mean is.
# - The predictions of a lexical model are averaged over random tables (`N_TABLES` in `lexurn.runs.fit`). Such an
#   ensemble predicts better than its members do on average. The curves along training use one random table per
#   sequence, as training does; `evaluation.summary(run.results, measure="single_table_symmetrized_kl")` continues them.
# - Strings of a formal language have an oracle that is certain of some letters, so distances are infinite. For them we
#   report regret: the loss in excess of the exact next-token law.
# - The best predictor of a text is unknown. Its models are compared with predictors that count tokens and pairs.
# - What one urn shows need not hold for others: the pool was drawn once, from the seed.
# :::

# %% tags=["hide-input"]
spare = models.build(settings, generator=generator(settings.training.seed, "weights"))
parts = pd.DataFrame(models.summary(spare).items(), columns=["part", "parameters"])
show_table(parts, caption="Most parameters are in the backbone.", name="parameters")

# %% [markdown]
# ## What this does not show
#
# One model, one pool and one seed show what can happen, not what happens in general. A distance near zero says that two
# predictors agree on these sequences; it does not say that the model computes the predictor's formula.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# An urn has three colours and $\alpha = 1$. The balls are red, red, blue. Which probability does G give to red?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# By {eq}`train-generalizing`, $(2 + 1) / (3 + 3) = 1/2$.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# Over how many terms does S sum for one urn of four colours? For which urns do S and M agree?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# One urn has $4! = 24$ renamings. S and M agree if all renamings give the same urn, so if all colours are equally
# frequent.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# The pool is empty: every training sequence has a fresh urn. Which of the three predictors is the optimum?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# G, because its prior is then the distribution that the urns come from.
# :::

# %% tags=["remove-cell"]
from lexurn.predictors.symmetrized import relabelings

even, some = torch.full((1, 4), 0.25).double(), torch.tensor([[0, 0, 1, 0, 2, 3]])
assert Generalizing(3)(torch.tensor([[0, 0, 1, 0]]))[0, 3, 0].exp().isclose(torch.tensor(0.5).double())
assert len(relabelings(even)) == 24 and torch.allclose(Memorizing(even)(some), Symmetrized(even)(some))
assert tasks.build(parameters.check({"n_tasks": 0})).optimum == "generalizing"

# %% [markdown]
# ## Where the run is, and what to try next

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
# - `-p language dyck`: strings of brackets instead of balls, with an exact oracle ([chapter 8](08_rules) asks more of
#   such models).
# - `-p task text -p context_length 64`: plays by Shakespeare, token by token ([chapter 10](10_geometry) looks inside
#   such models).
# - `-p lex True -p vocabulary original`: the tables of the original experiment. How much slower do they learn?
