# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training: which of the three students does a network become?
#
# [Chapter 1](01_data) calculated what three perfect students predict. Here we train one small transformer, and ask
# which student it becomes and how we can see this.
#
# After this chapter you can calculate the least loss that a model can reach, and explain why neither a loss nor a
# renaming test alone identifies a predictor.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.2.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

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

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import explorable, figure, models, runs, set_threads, tasks
from lexurn import table as show_table
from lexurn.base.seeding import generator

# %% tags=["hide-input"]
from lexurn.base.wording import duration
from lexurn.chapters.train import live, one_run, overview
from lexurn.chapters.train import plots as chapter_plots
from lexurn.figures import plots, triangle
from lexurn.figures.figure_card import card
from lexurn.figures.live_urn import live_urn, next_ball
from lexurn.figures.trainings import attainable_losses, trainings
from lexurn.runs import fit, store

set_threads(settings.machine.threads)

# %% tags=["hide-input"]
data = tasks.build(settings)
box = display(overview.brief(settings), display_id=True)  # filled in below, once there is a model

# %% [markdown]
# ## One network, three students
#
# The three students are exact predictors. **G** counts the balls {eq}`generalizing`, **M** remembers the training urns
# {eq}`memorizing`, and **S** remembers them up to the names of their colours {eq}`symmetrized`. A network has to find
# out by itself what there is to learn. It sees many sequences from the {term}`pool`. Training changes its weights so
# that it gives the balls of these sequences a higher probability. Nothing in its training mentions urns.
#
# Which student should it become? That depends on what its weights can store.
#
# - A {term}`normal model` (`lex = False`) has a learned embedding for every colour. Its weights can store that red is
#   common, so the best that it can become is M.
# - A {term}`lexical model` (`lex = True`) gets a new random embedding table for every sequence. Its weights cannot
#   store anything about red, so the best that it can become is S. (The tables of {cite:t}`huang2023lexinvariant` hold
#   Gaussian vectors, `-p vocabulary gaussian`. Ours hold four of 32 one-hot vectors by default.)
# - With `n_tasks = 0` every sequence has a fresh urn. There is nothing to memorize, and the best is G.
#
# "The best" means the least loss, $-\ln p(\text{ball})$ on average, on new sequences like those of the training.

# %% [markdown]
# ## Training
#
# A start vector stands before the first ball, so the network predicts that ball too. Row $t$ of its prediction has seen
# $t$ balls and nothing later. Two sorts of sequences are *held out*, that is, no update of the weights uses them.
# *Validation* sequences are new ones like those of the training, and choose the best weights. On *test* sequences, we
# measure how far the network is from each student.

# %% tags=["hide-input"]
kind = settings.kind
stored = runs.is_stored(settings)
display(
    Markdown(
        f"The {kind} model is trained for {settings.training.n_steps} steps, with {settings.training.batch_size} "
        "sequences per step. "
        + ("It is stored, so it is loaded." if stored else f"This takes about {duration(fit.estimate(settings))}.")
    )
)

# %%
judged = {"split": data.splits[0], "measure": data.measure}
live_tracker = live.LiveTraining(settings.training.n_steps, **judged)
run = runs.get(settings, tracker=live_tracker)

# %% tags=["hide-input"]
walk = overview.walk(run)
renaming = None if walk is None else overview.changes_by_renaming(run, settings.task.n_colors)
box.update(overview.brief(settings, run, renaming))

# %% [markdown]
# If the network becomes one of the students, its loss should fall to the loss of that student. It can fall below the
# loss of the best student only by chance, because there are few validation sequences.

# %% tags=["hide-input"]
attainable = attainable_losses(run)
along = run.metrics.assign(**{f"attainable/{name}": loss for name, loss in attainable.items()})
alt = "The loss on training and validation sequences along training, and the losses that the exact predictors attain."
caption = overview.caption_losses(run, attainable)
words = {"alt": alt, "n": "1 model, its validation sequences", "caption": caption}
figure(chapter_plots.losses, along, name="losses", runs=[run], legend="", size=(5.4, 3.2), **words)

# %% [markdown]
# The loss alone does not say which student the network is like. So we measure its {term}`distance` to each,
#
# $$ d(p, q) = \tfrac{1}{2} \mathrm{KL}(p \,\|\, q) + \tfrac{1}{2} \mathrm{KL}(q \,\|\, p), $$ (train-distance)
#
# averaged over rows $1 \dots C$ and over sequences ([chapter 1](01_data) explains it). We measure it on *fresh* urns,
# which the network has never seen, because with one training urn the students disagree more there than on new sequences
# from this urn. Expect one distance to fall towards zero, and the others to approach the distances between students.

# %% tags=["hide-input"]
alt = "The distances of the model to the exact predictors along training."
words = {"alt": alt, "n": "1 model, its test sequences", "caption": one_run.caption_training(run)}
options = {"legend": "distance to", "size": (5.4, 3.2)}
figure(chapter_plots.distances, run.metrics, name="distances_along", runs=[run], **judged, **options, **words)

# %% [markdown]
# ### The walk on the map
#
# The same three distances place the network on the map of [chapter 1](01_data), where squared lengths are distances.
# Before its training, a network predicts something arbitrary, and lies far above the map. The path joins evaluations
# during the training. Move the slider to follow the network step by step, on fresh urns or on the training urn. Expect
# long steps at the beginning and short ones once the loss is low.

# %% tags=["hide-input"]
if walk is not None:
    alt = "A triangle with the corners G, M and S, and the path of the model along training."
    words = {"alt": alt, "n": "1 model, its test sequences", "caption": overview.caption_walk(run)}
    options = {"legend": "model", "size": (6.4, 3.2), "runs": [run]}
    picture = card(triangle.triangle, walk, name="walk", **options, **words)
    alt = "Move through the training, and see the loss, the distances to G, M and S, and the place on the map."
    explorable("training", trainings({kind: [run]}), fallback=picture, alt=alt)

# %% [markdown]
# ## What the network became
#
# From here on we look at the *best* weights, those with the least validation loss. They may come from long before the
# last step: once the loss is flat, noise decides which evaluation has the least loss. There are three sets of test
# sequences: from the training pool (*in distribution*), from a fresh urn each (*out of distribution*), and of a single
# colour (*low entropy*).

# %% tags=["hide-input"]
words = {"nearest": list(run.references), "floor": one_run.FLOOR, "caption": one_run.caption_table(run)}
show_table(one_run.distances(run), name="distances", **words)

# %% tags=["hide-input"]
display(Markdown(one_run.describe(run)))

# %% [markdown]
# A mean over rows can hide a change of rule: a network may count at first and recognize the urn later. So we look row
# by row. If the network has become one of the students, one line lies far below the others on every row.

# %% tags=["hide-input"]
splits = one_run.shown_splits(run)
rows = run.results_by_row[run.results_by_row["measure"] == run.task.measure]
alt = "Distances of the model to the exact predictors against the tokens seen, one panel per split."
panels = {"each": {"split": splits}, "share_y": True, "legend": "distance to"}
words = {"alt": alt, "n": f"{rows['n'].max()} sequences per panel", "caption": one_run.caption_rows(run)}
figure(plots.distances_by_row, rows, runs=[run], **words, **panels)

# %% [markdown]
# ### One sequence, ball by ball
#
# The numbers above are averages. Here are the predictions of the network and of the students for one sequence from a
# fresh urn. Each line is the probability of one colour. Each ball stands below the prediction made before it was drawn.

# %% tags=["hide-input"]
who = {f"this {kind} model": run.predictor, **run.references}
one, names = one_run.along_one_sequence(run, who)
alt = "The probability of each token, one by one, on one sequence: one panel for the model and each exact predictor."
panels = {"by": "predictor", "share_y": True, "size": (3.2, 3.2), "names": names}
words = {"alt": alt, "n": "1 sequence", "caption": one_run.caption_sequence(one)}
figure(chapter_plots.predictions, one, runs=[run], **words, **panels)

# %% [markdown]
# ## What `lex` changes
#
# Only one part of the network changes: the *vocabulary*, which turns tokens into vectors and vectors into predictions.
# An ordinary vocabulary has one table of learned vectors for all sequences. A lexical one draws a table for every
# sequence, and predicts with the same table. By default, the table holds a one-hot vector for each colour. This vector
# is the {term}`name` of the colour in this sequence:

# %%
a_lexical_model = models.build(
    parameters.check({"lex": True}), generator=generator(0, "weights")
)
embedding = a_lexical_model.vocabulary
table = embedding.draw(2, generator=generator(0, "tables"))  # sequence, colour, vector
names_of_two_sequences = table.argmax(-1).tolist()

# %% tags=["hide-input"]
first, second = (" and ".join(", ".join(map(str, names)).rsplit(", ", 1)) for names in names_of_two_sequences)
assert first != second and table.shape[-1] == 32
display(
    Markdown(f"There are 32 names. In one sequence, the four colours have the names {first}; in another, {second}.")
)

# %% [markdown]
# Here is a test of lexical invariance. We rename every colour to the next one, let a network predict, and rename its
# prediction back. The prediction of a lexical network changes only because it draws new names. On average over draws it
# does not change: in this sense the network is lexically invariant. How much does the prediction of *this* network
# change?

# %% tags=["hide-input"]
if walk is not None:
    n_fresh = len(run.splits[data.splits[0]])
    caption = "Renaming colours, and predictions back, changes what M predicts, but not what G and S do. Mean over "
    caption += f"{n_fresh} fresh urns."
    assert max(renaming["generalizing"], renaming["symmetrized"]) < 1e-9 < renaming["memorizing"]
    shown = pd.DataFrame({"who": ["this model", "G", "M", "S"], "change": list(renaming.values())})
    columns = {"who": "predictor", "change": "distance to the renamed prediction (nats)"}
    show_table(shown, columns, name="renaming", caption=caption)

# %% [markdown]
# ### The network, live
#
# Below, the network runs in this page (if it is a transformer and there are at most four colours). Draw balls, and
# compare it with the students. Then rename the colours. Expect a normal network to predict the old colours, as M does.
# The predictions of G, S and a lexical network should move with the names. (A renamed colour keeps its vector in a
# lexical network. Weights are rounded to half precision here.)

# %% tags=["hide-input"]
first_balls = one.drop_duplicates("row")["ball"].head(5).tolist()
live_data = live_urn({f"this {kind} model": run}, first_balls) if walk is not None else None
if live_data is not None:
    now = one[one["row"] == len(live_data["balls"])]
    said = now[now["predictor"] == f"this {kind} model"]["probability"]
    alt = f"Probabilities of the next ball as bars. This model: {', '.join(f'{p:.2f}' for p in said)}."
    caption = one_run.caption_sequence(now, f"After {len(live_data['balls'])} balls of the sequence above,")
    words = {"alt": alt, "n": "1 model, 1 sequence", "caption": caption}
    options = {"names": live_data["colors"], "runs": [run], "legend": "predictor", "size": (6.0, 2.8)}
    picture = card(next_ball, now, name="live", **options, **words)
    alt = "Draw balls from an urn, rename the colours, and see what this network, G, M and S expect next."
    explorable("urn", live_data, fallback=picture, alt=alt)

# %% [markdown]
# :::{admonition} Details and controls
# :class: dropdown
#
# - ± is one standard error over the test sequences. There is only one low-entropy sequence per colour. So its ± shows
#   how much these few sequences differ, and not how sure the mean is.
# - A lexical model reads each test sequence with several random tables, and its probabilities are averaged. The average
#   predicts better than one table does ([chapter 3](03_evaluate)). The curves along training use one table per
#   sequence, as training does.
# :::

# %% tags=["hide-cell"]
spare = models.build(settings, generator=generator(settings.training.seed, "weights"))
parts = pd.DataFrame(models.summary(spare).items(), columns=["part", "parameters"])
show_table(parts, caption="Most parameters are in the backbone.", name="parameters")

# %% tags=["hide-input"]
if words := one_run.about_the_measure(run):
    display(Markdown(words))

# %% [markdown]
# ## What this does not show
#
# One model, one pool and one seed show what can happen, and not what happens in general. A distance near zero says that
# two predictors agree on these sequences. It does not say that the network computes the predictor's formula. And
# training does not decide what a network predicts on fresh urns: [chapter 3](03_evaluate) shows what can go wrong.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# The training urn is 70 % red, 20 % blue and 10 % green. Which loss per ball does a perfect normal model attain?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# The entropy of the urn: $-0.7 \ln 0.7 - 0.2 \ln 0.2 - 0.1 \ln 0.1 \approx 0.80$ nats. M predicts the true
# proportions, and no predictor has a smaller expected loss.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# What is the least expected loss of a lexical model on the first ball of a sequence?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# $\ln V$: before the first ball it knows nothing about names, so it gives every colour $1/V$, as S does.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# You stop a training when the loss has fallen to exactly G's loss. Is the network now G?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# Not necessarily: many predictors have the same loss. For the urn of this page, for example, some mixture of M and the
# uniform predictor has the loss of G, and yet the mixture does not count at all.
# :::
#
# :::{admonition} Exercise 4
# :class: exercise
# You train with `n_tasks = 256`. Is a normal model that counts, as G does, far from its optimum in distribution?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# No. With many urns, M and G predict nearly the same on the pool, because the urns of the pool are almost as varied as
# all urns.
# :::
#
# :::{admonition} Exercise 5
# :class: exercise
# Another network is trained on the urn of this page, for which $d(G, S)$ in distribution is about $0.02$ nats. It ends
# at a distance of $0.0003$ nats from S in distribution, and renaming the colours does not change its predictions. Which
# student is it like? Which of the two observations shows this? Is the network a normal model that has been trained for
# long?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# It is like S. The renaming test alone excludes only M, because G does not change either. The distance excludes G,
# which is about $0.02$ nats from S. A normal model would reach a smaller loss as M, and M depends on the names. So the
# network is more likely a lexical or a permuted model.
# :::

# %% tags=["remove-cell"]
from lexurn.base import divergences
from lexurn.measures import comparison
from lexurn.predictors import Generalizing, Symmetrized

urn, any_ball = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64), torch.tensor([[0, 1]])
first_ball = Symmetrized(urn)(any_ball)[0, 0].exp()
assert abs(divergences.entropy(urn.log()).item() - 0.80) < 0.005
assert torch.allclose(first_ball, torch.full((3,), 1 / 3, dtype=torch.float64))
gaps = {}
for pool_size in (1, 256):
    large = tasks.build(parameters.check({"n_tasks": pool_size, "n_test_samples": 100}))
    m, g = (large.references()[name] for name in ("memorizing", "generalizing"))
    apart = comparison.distance(m, g, large.held_out()["in_distribution"])
    gaps[pool_size] = comparison.mean_over_rows(apart).mean().item()
assert gaps[256] < 0.1 * gaps[1]

# %% tags=["remove-cell"]
of_page = tasks.build(parameters.check({}))
ends = [of_page.references()[name] for name in ("generalizing", "symmetrized")]
apart = comparison.distance(*ends, of_page.held_out()["in_distribution"])
assert abs(comparison.mean_over_rows(apart).mean() - 0.02) < 0.005

# %% tags=["remove-cell"]
tokens = tasks.build(parameters.check({"n_test_samples": 200})).held_out()["in_distribution"]
pool = tasks.build(parameters.check({})).pool
loss_of_g = divergences.negative_log_likelihood(Generalizing(4)(tokens), tokens)[:, 1:].mean()
shares = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
mixed = (1 - shares) * pool + shares / 4  # share color
losses = -(mixed.log()[:, tokens[:, 1:]]).mean((1, 2))
assert losses[0] < loss_of_g < losses[-1]
best = mixed[(losses - loss_of_g).abs().argmin()].log().expand(*tokens.shape, 4)
to_g = divergences.symmetrized_kl(best, Generalizing(4)(tokens))[:, 1:].mean()
assert to_g > 0.02  # of the same loss, and another predictor

# %% [markdown]
# ## Where the run is, and what to try next

# %% tags=["hide-input"]
display(
    Markdown(
        f"The run is stored in `{run.path.parent.name}/`. `runs.load('{run.path.name}')` loads it with its settings, "
        f"metrics and weights. It was trained by `{run.provenance['command']}` ({run.provenance['duration']} on "
        f"{run.provenance['device']}, with all evaluations). "
        + "With `LEXURN_FRESH=1` before it, the command ignores the runs of this edition and trains it again."
        * store.is_published(run.path)
    )
)

# %% [markdown]
# Add one of these lines to `papermill book/02_train.ipynb out.ipynb`, in the folder that holds `book/`. Papermill
# executes the chapter with these parameters and writes `out.ipynb`, for the first line in less than a minute
# ([costs](costs.md)). [How to install](run.md) takes one line.
#
# - `-p lex True`: the same data for a lexical model. Expect it to walk to the side between G and S, not to M.
# - `-p lex True -p n_steps 10000`: trained longer, it should come nearer to S ([chapter 4](04_analysis)).
# - `-p label_permuted True`: a {term}`permuted model` has learned embeddings, but the colours of every training
#   sequence are renamed at random. Its optimum is S, too. Why does it come near S so much sooner?
#   ([Chapter 5](05_names) finds what this depends on.)
# - `-p n_tasks 16`, then `256`: with more urns, a normal model should take longer to become M
#   ([chapter 6](06_strategies)).
# - `-p n_tasks 0`: a fresh urn for every sequence. Expect the network to become G.
# - `-p backbone lstm`: a recurrent network in the transformer's place. Does it become M too?
# - `-p task language` or `-p task text`: strings of a formal language ([chapter 8](08_rules)), or plays by Shakespeare
#   ([chapter 10](10_geometry)).
#
# Here all measures agreed. [Chapter 3](03_evaluate) asks which of them to believe if they do not, and how sure one can
# be.
