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
# # Token geometry: how vectors move through depth, training and order
#
# A transformer carries a vector for each token from block to block. How do these vectors lie to each other? In some
# models they draw together with depth, until all tokens of a text point almost the same way; in others they stay apart.
# It is said to depend on where the norms stand, on the MLP, on the training, and on whether the text makes sense: if
# its words are shuffled, their dimension and their likeness rise, in models a hundred thousand times as large as those
# here ([Viswanathan et al. 2025](https://arxiv.org/abs/2501.10573)).
#
# Here are four small language models of the kind of LLaMA, which learn eight plays by Shakespeare, and the instruments
# by which their vectors are measured. Then the same instruments look at models of urns, coins and words, of which one
# knows what there is to be represented, and for which order means nothing, or everything.
#
# A block adds to the vectors what attention and an MLP make of them. **Pre**: $x + f(N x)$, norms before. **Post**:
# $N(x + f x)$, norms after. The MLP is **SwiGLU**, $W (\mathrm{silu}(U x) \cdot G x)$, or **GELU**,
# $W\,\mathrm{gelu}(U x)$, with as many weights. Norms are RMSNorm, positions are rotary, the table that embeds tokens
# also reads them out, and what writes into the stream begins smaller by $\sqrt{2L}$.

# %%
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

REPOSITORY, TAG = "https://github.com/OWNER/lexurn", "v0.1.0"
here = [Path.cwd(), *Path.cwd().parents]
clone = next((f for f in here if (f / "_config.yml").exists() and (f / "lexurn").is_dir()), Path("/content/lexurn"))
installed = util.find_spec("lexurn") and any(metadata.distributions(name="lexurn"))
if clone not in here and not installed:
    assert "google.colab" in sys.modules, f"no lexurn here: git clone {REPOSITORY}, and run this inside the clone"
    if not clone.exists():
        options = ["-q", "-c", "advice.detachedHead=false", "--depth", "1", "--branch", TAG]
        subprocess.run(["git", "clone", *options, REPOSITORY, clone], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", clone], check=True)  # keeps torch
sys.path.insert(0, str(clone))

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/09_geometry.ipynb out.ipynb -p prompts '["Your own text, and more of it"]'`. What the models share
# stands in the grids `params/sweeps/geometry*.yaml`. Trainings have a half of `n_steps`. `-f params/book.yaml` is the
# scale of this book. To train on a text of your own, or on WikiText-2: `-p corpus wikitext-2`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
# what is sampled
corpus: str = "plays"  # plays, wikitext-2, or a folder with train.txt, valid.txt, test.txt
tokenizer: str = "bpe"  # bpe (learned from the training text), char (characters), or gpt2
trained_on: str = "train"  # split that is trained on: train, or valid (its last tenth then chooses the weights)
# how the weights are found
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
batch_size: int = 32  # sequences per step
seed: int = 0  # the one seed that every random stream is derived from
# how much is averaged over
n_seeds: int = 1  # seeds, each with a pool of its own, that models are trained with
prompts: list = []  # texts whose tokens are compared; []: two of ours
jobs: int = 2  # processes side by side that train
# where it runs
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads

# %%
from lexurn import parameters

settings = parameters.resolve("geometry")

# %%
from functools import partial

import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import claims, figure, kept, plotting, sweeps, uncertainty, widgets
from lexurn.analysis import geometry, geometry_summaries, rules, token_geometry
from lexurn.analysis import prompts as asked

# %%
torch.set_num_threads(settings.machine.threads)
study, in_words = settings.study, uncertainty.with_error
number = f"{study.n_seeds} seed(s) a line"
scale = settings.training.n_steps / (2 * sweeps.read("geometry").points[0].training.n_steps)
about = ("corpus", "tokenizer", "trained_on", "batch_size", "device", "threads")
changes = {name: value for name, value in settings.changed().items() if name in about}
seeds = range(settings.training.seed, settings.training.seed + study.n_seeds)
grid = sweeps.read("geometry", changes=changes, seeds=seeds, scale=scale)
prompts = study.prompts or asked.PROMPTS
sequences = asked.tokens_of(grid.points[0], prompts)  # bad ones stop here

# %% [markdown]
# ## Before training
#
# Weights are random; what is there is the architecture. For every text the cosine of each two different tokens is
# averaged (the vector that stands for the beginning of a text is left out). If vectors pointed anywhere, that would be
# 0; but attention hands the same to many tokens, and what is the same adds up with depth. A guess: with norms after
# each sum the stream is cut back to one length every time, so that what attention brings counts for more, and tokens
# draw together sooner. All weights begin with a standard deviation of one fiftieth, as in the analyzer that this
# chapter follows; at the right, of $1/\sqrt{\text{fan-in}}$, as elsewhere in this book. One text has 64 tokens.

# %%
depths = [6, 12, 24]
starts = token_geometry.untrained(grid, depths).rename(columns={"mean": "value"})
starts["weights"] = starts["n_layers"].astype(str) + " layers" + starts["as_trained"].map({True: "", False: ", larger"})
begin = rules.over_seeds(starts, ["measure", "weights", "system", "layer"])
cosines = begin[begin["measure"] == "cosine"].rename(columns={"mean": "cosine"})
options = {"x": "layer", "y": "cosine", "line": "system", "by": "weights", "legend": "untrained", "size": (3.4, 2.9)}
alt = "Mean cosine of the tokens of a text in each layer of untrained models: a panel a depth, a line an architecture."
figure(plotting.curves, cosines, name="untrained", alt=alt, n=f"64 texts, {number}", share_y=True, **options)

# %%
ends = starts[starts["layer"] == starts["n_layers"]].rename(columns={"value": "mean"}).assign(value=lambda t: t["mean"])
shown = ends[ends["measure"].isin(["cosine", "centred"])]
cells = rules.over_seeds(shown, ["measure", "system", "weights"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
table = cells.pivot(index=["measure", "system"], columns="weights", values="text")
display(table.loc[["cosine", "centred"], list(dict.fromkeys(starts["weights"]))].rename_axis(columns="last layer"))
null, spread = geometry.isotropic(64, grid.points[0].backbone.d_model)
display(Markdown(f"Vectors that point anywhere: {null:g} ± {spread:.4f} for one text; centred {-1 / 63:.4f}."))

# %% [markdown]
# (*Centred*: of each vector the mean of its text is taken away first. What tokens then still have in common is no
# single direction: then it is as of vectors that point anywhere.)

# %%
added = starts[(starts["layer"] == 1) & starts["measure"].isin(["norm", "update"])]
share = added.groupby(["measure", "system", "weights"])["value"].mean().unstack("measure")
share = (share["update"] / share["norm"]).unstack("weights")
few, many = f"{depths[-1]} layers", f"{depths[-1]} layers, larger"
said = "; ".join(f"{system} {share.loc[system, few]:.2g} and {share.loc[system, many]:.2g}" for system in share.index)
display(
    Markdown(
        f"What the second block adds, in lengths of what is there, of {few} with small and larger weights: {said}."
    )
)

# %% [markdown]
# The guess is wrong at both scales, and the lengths say why. Behind a post-norm the stream is $\sqrt{d}$ long, about
# ten, from the first block on, whereas it begins as short as the embeddings are where norms come before. Blocks bring
# about as much in both. To a long stream that is little, and its directions hardly change; to a short one it is much,
# and all tokens get a share of the same. Placement acts by the length of the stream, at least before training.
#
# ## Training
#
# Four models, on plays that have more than three hundred thousand tokens in all, pieces of one to about ten characters
# learned from the plays themselves. *Twelfth Night* chooses the best weights; *Julius Caesar* is the test.

# %%
found = dict(zip(grid.points, widgets.get_all(grid.points, jobs=study.jobs), strict=True))
parts = [run.metrics[["step", "validation_loss"]] for run in found.values()]
learned = kept.joined(grid, parts).rename(columns={"validation_loss": "value"})
lines = rules.over_seeds(learned, ["system", "step"]).rename(columns={"mean": "validation_loss"})
alt = "The validation loss along training, a line for each of the four architectures."
options = {"x": "step", "y": "validation_loss", "line": "system", "legend": "system", "size": (5.4, 3.2)}
figure(plotting.curves, lines, name="learning", alt=alt, n=number, runs=list(found.values()), **options)

# %% [markdown]
# Perplexity: exp of the mean loss of a token, over the whole test text, cut into sequences that do not overlap, each
# token predicted once. Of a model that says nothing it is the number of tokens. Bits per byte compare across
# tokenizers. *Unigram* and *bigram* have counted the training text: tokens, and pairs.

# %%
scores = kept.of_grid(grid, token_geometry.predicted, name="perplexity-1", jobs=study.jobs)
scores["name"] = scores["system"].mask(scores["who"] != "model", scores["who"])
shown = {}
for measure in ("nats", "perplexity", "bits_per_byte"):
    each = rules.over_seeds(scores.assign(value=scores[measure]).drop_duplicates(["name", "seed"]), ["name"])
    shown[measure] = [in_words(*pair) for pair in each[["mean", "sem"]].values]
names = each["name"].tolist()
table = pd.DataFrame(shown, index=names).rename(columns={"nats": "nats a token", "bits_per_byte": "bits per byte"})
table.rename_axis(columns=f"test text, {study.n_seeds} seed(s)")

# %%
first = scores[scores["who"] == "model"].iloc[0]
vocabulary = grid.points[0].task.vocab_size
said = f"{int(first['n_tokens']):,} tokens of a vocabulary of {vocabulary:,}; over its sequences the standard error of "
display(Markdown(said + f"the loss of one model is {first['sem']:.3f} nats a token."))

# %% [markdown]
# ## Over depth
#
# The same texts in trained models. *Update* is what a block adds, and *update cosine* its direction against what it is
# added to; *gradient* is that of the loss of a text. Of a thousand tokens of all texts together: *effective rank*, how
# many directions they use, and *dimension*, that of the surface they lie on, by the ratio of the distances to the two
# nearest neighbours (TwoNN). The lowest line in the first two: vectors that point anywhere. A dimension of points
# is not one of directions: a spiral has dimension one. Gradients are the larger, the shorter the stream.

# %%
deep = kept.of_grid(grid, token_geometry.over_depth, name="geometry-1", jobs=study.jobs)
deep = deep.rename(columns={"mean": "value", "sem": "sem_over_texts"})
last = deep[deep["step"] == deep["step"].max()]
over = rules.over_seeds(last, ["measure", "system", "layer"])
null = pd.DataFrame({"layer": range(5), "system": "anywhere"})
nulls = [null.assign(measure="cosine", mean=0.0), null.assign(measure="centred", mean=-1 / 63)]
drawn = pd.concat([over, *nulls], ignore_index=True).rename(columns={"mean": "value"})
shown = ["cosine", "centred", "norm", "gradient", "update", "update_cosine", "effective_rank", "twonn"]
drawn = pd.concat([drawn[drawn["measure"] == m].assign(measure=geometry_summaries.NAMES[m]) for m in shown])
options = {"x": "layer", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "trained"}
alt = "Eight measures in each layer of trained models, a panel a measure, a line an architecture."
figure(plotting.curves, drawn, name="depth", alt=alt, n=number, runs=list(found.values()), **options)

# %%
by_system, systems = over.set_index(["measure", "layer", "system"]), list(over["system"].unique())
cells = {
    (geometry_summaries.NAMES[measure], f"layer {layer}"): {
        system: in_words(*by_system.loc[(measure, layer, system), ["mean", "sem"]]) for system in systems
    }
    for measure in ("cosine", "twonn", "mle", "overlap")
    for layer in (1, 4)
}
display(pd.DataFrame(cells).T)

# %%
late = over[(over["layer"] == 4) & (over["measure"] == "cosine")].set_index("system")["mean"]
order = ", ".join(f"{system} {late[system]:.3f}" for system in late.sort_values().index)
flat = ", ".join(f"{system} {in_words(*by_system.loc[('twonn', 1, system), ['mean', 'sem']])}" for system in systems)
display(
    Markdown(
        f"Mean cosine in the last layer, from apart to together: {order}. Dimension behind the first block: {flat}."
    )
)

# %% [markdown]
# (A dimension below two behind the first block tells of repetition: the nearest neighbour of a token is the same piece
# in another place, and nearly the same vector. Deeper, what was before tells them apart.)
#
# By place: the mean cosine of the token at a place with all others of its text. The first tokens have seen little but
# themselves; if a model sets one of them apart (a sink, to which attention goes that has nowhere to go), it shows here.

# %%
placed = kept.of_grid(grid, token_geometry.by_place, name="places-1", jobs=study.jobs)
placed = placed[placed["layer"].isin([1, 4])]
places = rules.over_seeds(placed.assign(value=placed["cosine"]), ["layer", "system", "position"])
places = places.rename(columns={"mean": "cosine"})
options = {"x": "position", "y": "cosine", "line": "system", "by": "layer", "titles": "layer {}", "legend": "trained"}
alt = "Mean cosine of a token with the others of its text, by its place: a panel a layer, a line an architecture."
figure(plotting.curves, places, name="places", alt=alt, n=number, runs=list(found.values()), share_y=True, **options)

# %% [markdown]
# ## Prompts
#
# All pairs of tokens of a text, at four depths: the embeddings, behind the first two blocks, and behind the last. Where
# the same piece comes again, the embeddings are the same and their cosine is one; deeper, it depends on what was
# before. Below, what post-norm has more (violet) or less (orange) than pre-norm. `-p prompts` takes texts of your own.

# %%
pair = {name: found[grid.where(system=name)[0]] for name in ("pre SwiGLU", "post SwiGLU")}
make = partial(token_geometry.of_prompts, prompts=prompts)
name = f"prompts-{asked.fingerprint(prompts)}"
maps = dict(zip(pair, kept.tables(list(pair.values()), make, name=name, jobs=study.jobs), strict=True))
different = maps["post SwiGLU"].assign(value=maps["post SwiGLU"]["value"] - maps["pre SwiGLU"]["value"])
every = pd.concat([t.assign(who=who) for who, t in {**maps, "post less pre": different}.items()], ignore_index=True)
every = every[every["layer"].isin([0, 1, 2, 4])]
every["what"] = every["who"] + ", layer " + every["layer"].astype(str)

# %%
for number_of, prompt in enumerate(prompts):
    mine = every[every["prompt"] == number_of]
    options = {"by": "what", "size": (3.1, 2.7), "names": asked.pieces(grid.points[0], prompt)}
    alt = f"Cosines of all pairs of tokens of '{prompt}' in two models at four depths, and their differences."
    options |= {"runs": list(pair.values()), "n": "1 text, 1 seed", "name": f"prompt_{number_of + 1}"}
    figure(plotting.similarities, mine, alt=alt, **options)

# %% [markdown]
# ## During training
#
# From the first weights to the last: draw the slider, or play.

# %%
steps = sorted(deep["step"].unique().tolist())
moving = rules.over_seeds(deep[deep["measure"] == "cosine"], ["step", "system", "layer"])
moving = moving.rename(columns={"mean": "cosine"})
alts = []
for step in steps:
    ends = moving[(moving["step"] == step) & (moving["layer"] == 4)].set_index("system")["cosine"]
    alts.append(f"Step {step}. Mean cosine in the last layer: {', '.join(f'{s} {v:.2f}' for s, v in ends.items())}.")
pages = {"each": {"step": steps}, "titles": "step {}", "size": (6.5, 3.2), "y": "cosine", "line": "system"}
pages |= {"alt": "Mean cosine over layers, page by page through the training.", "n": number, "legend": "system"}
runs = list(found.values())
widgets.flipbook(plotting.over_depth, moving, label="kept step", alts=alts, name="moving", runs=runs, **pages)

# %%
shown = ["cosine", "norm", "effective_rank", "twonn"]
late = deep[(deep["layer"] == 4) & deep["measure"].isin(shown)]
along = rules.over_seeds(late, ["measure", "system", "step"]).rename(columns={"mean": "value"})
along["measure"] = along["measure"].map(geometry_summaries.NAMES)
options = {"x": "step", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "last layer"}
alt = "Four measures of the last layer along training: a panel a measure, a line an architecture."
figure(plotting.curves, along, name="along", alt=alt, n=number, runs=runs, **options)

# %% [markdown]
# ## Which layers are alike?
#
# CKA compares two representations of the same tokens, whatever way they are turned: 1 is the same, 0 nothing in common.
# A model beside its own beginning, beside one with the other norms, and beside one with the other MLP.

# %%
one = found[grid.where(system="pre SwiGLU")[0]]
beside = {system: found[grid.where(system=system)[0]] for system in ("post SwiGLU", "pre GELU")}
if study.n_seeds > 1:
    beside["another seed"] = found[grid.where(system="pre SwiGLU")[1]]
others = [other.path.name for other in beside.values()]
name = f"cka-{asked.fingerprint(others)}"
(both,) = kept.tables([one], partial(token_geometry.alike, others=others), name=name)
both["who"] = both["who"].replace({other.path.name: who for who, other in beside.items()})
options = {"by": "who", "size": (3.2, 2.9), "down": "layer of pre SwiGLU", "runs": [one]}
alt = "How alike the layers of the pre-norm SwiGLU model are to those of others, by CKA: a map for each other."
figure(plotting.layers_alike, both, name="alike", alt=alt, n="1000 tokens, 1 pair of models each", **options)

# %% [markdown]
# ## Does order matter?
#
# Each text is cut into blocks, and these put into any order: 0 is the text as it was, 1 two halves, then blocks of a
# quarter, an eighth and a sixteenth, and 5 single tokens. Published, of far larger models: the largest dimension over
# layers rises, and so do the largest mean cosine and the loss; the dimension only in the lower half of the layers.
# (Layers behind blocks: embeddings know no order.)

# %%
orders = kept.of_grid(grid, token_geometry.in_other_orders, name="orders-1", jobs=study.jobs)
largest = geometry_summaries.largest(orders)
largest = largest[largest["measure"] != "mle"]
lines = rules.over_seeds(largest, ["measure", "system", "order"]).rename(columns={"mean": "value"})
lines["measure"] = lines["measure"].map(geometry_summaries.NAMES)
options = {"x": "order", "y": "value", "line": "system", "by": "measure", "size": (3.6, 2.8), "legend": "system"}
alt = "Largest mean cosine, loss, and largest dimension against how finely the text is shuffled; a line a system."
figure(plotting.curves, lines, name="orders", alt=alt, n=f"64 texts, {number}", runs=runs, **options)

# %%
change = geometry_summaries.changes(orders)
by_layer = rules.over_seeds(change[change["measure"].isin(["twonn", "cosine"])], ["measure", "system", "layer"])
by_layer["text"] = [in_words(*each) for each in by_layer[["mean", "sem"]].values]
for measure in ("twonn", "cosine"):
    wide = by_layer[(by_layer["measure"] == measure) & (by_layer["layer"] > 0)]
    wide = wide.pivot(index="layer", columns="system", values="text")
    display(wide.rename_axis(columns=f"{geometry_summaries.NAMES[measure]}: single tokens less whole texts"))

# %%
moved, lost = (geometry_summaries.rise(orders, measure)["value"] for measure in ("cosine", "loss"))
published = claims.read()["geometry/shuffled_cosine"].published
display(
    Markdown(
        f"Of what the largest mean cosine rises in a published model, it moves by {moved.abs().max() / published:.1%} "
        f"here at most, while the loss rises by {lost.mean():.2f} nats: that the order is gone costs these models "
        "much, and does not draw their vectors together."
    )
)

# %% [markdown]
# ## Where the answer is known
#
# The best prediction on a fresh urn follows from the counts of the colours, whose shares lie on a simplex of $V - 1$
# dimensions: 1 for coins, 3 and 7 for urns of four and eight colours. Do the vectors of the last layer lie on a surface
# of that dimension, in models with learned embeddings and in lexical ones (looked at under one table)? Balls are
# exchangeable: shuffled, they are as likely as before, and no measure should move. That is what the figures above must
# be held against. Words of $a^nb^n$ are the other end: shuffled, they are no words.

# %%
known = sweeps.read("geometry_known", seeds=seeds, scale=scale)
models = dict(zip(known.points, widgets.get_all(known.points, jobs=study.jobs), strict=True))
simplest = kept.of_grid(known, token_geometry.at_the_end, name="geometry-end-1", jobs=study.jobs)
dims = simplest[simplest["measure"] == "twonn"].rename(columns={"mean": "value"})
lines = rules.over_seeds(dims, ["data", "kind", "layer"])
free = {"coins": 1, "urns of 4": 3, "urns of 8": 7}
exact = [{"data": data, "kind": "V − 1", "layer": layer, "mean": n} for data, n in free.items() for layer in (1, 2)]
drawn = pd.concat([lines[lines["layer"] > 0], pd.DataFrame(exact)], ignore_index=True)
drawn = drawn.rename(columns={"mean": "dimension"})
options = {"x": "layer", "y": "dimension", "line": "kind", "by": "data", "size": (3.2, 2.7), "legend": "embeddings"}
alt = "Dimension of the vectors in each layer of models of coins, urns and words, beside that of the counts."
figure(plotting.curves, drawn, name="known", alt=alt, n=number, runs=list(models.values()), **options)

# %% [markdown]
# An instrument must be tried where the answer is known. So the same sequences once more, seen by the *predictions*: a
# point for each token, the logarithms of the probabilities. These have $V - 1$ dimensions and no more. TwoNN finds that
# for points spread evenly; but after $n$ flips there are only so many counts, which lie on a lattice. *Exact* are the
# predictions of G.

# %%
balls = [point for point in known.points if point.task.name == "urns"]
of_urns, make = [models[each] for each in balls], token_geometry.of_predictions
tables = kept.tables(of_urns, make, name="predictions-1", jobs=study.jobs)
points = [t.assign(seed=p.training.seed, **known.places[p.name]) for t, p in zip(tables, balls, strict=True)]
seen = pd.concat(points).melt(["who", "seed", "data", "kind"], var_name="measure")
seen["who"] = seen["who"].mask(seen["who"] == "model", seen["kind"] + " model")
cells = rules.over_seeds(seen.drop_duplicates(["who", "seed", "data", "measure"]), ["data", "who", "measure"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
cells["measure"] = cells["measure"].map(geometry_summaries.NAMES)
wide = cells.pivot(index=["data", "who"], columns="measure", values="text").rename_axis(columns="of predictions")
display(wide.assign(known=wide.index.get_level_values("data").map(free)).rename(columns={"known": "V − 1"}))

# %% [markdown]
# What is told by directions, the effective rank, is right. What is told by nearest neighbours is not, even of the exact
# predictions: on urns of eight colours it finds a third of the truth. So from the dimensions of the vectors themselves
# nothing follows about simplexes, and a comparison of dimensions, of texts as well, is one of how points crowd.
#
# And the order of exchangeable sequences:

# %%
mixed = kept.of_grid(known, token_geometry.in_other_orders, name="orders-1", jobs=study.jobs)
shown = mixed[((mixed["layer"] == 2) & (mixed["measure"] == "cosine")) | (mixed["measure"] == "loss")]
lines = rules.over_seeds(shown[shown["kind"] == "normal"], ["measure", "data", "order"])
lines = lines.rename(columns={"mean": "value"}).assign(measure=lambda t: t["measure"].map(geometry_summaries.NAMES))
options = {"x": "order", "y": "value", "line": "data", "by": "measure", "size": (3.6, 2.8), "legend": "normal models"}
alt = "Mean cosine of the last layer and loss against how finely sequences are shuffled; a line a kind of data."
figure(plotting.curves, lines, name="known_orders", alt=alt, n=number, runs=list(models.values()), **options)

# %% [markdown]
# ## What agrees, and what does not

# %%
values = geometry_summaries.summary(starts, last, orders)
moved = geometry_summaries.changes(mixed[mixed["kind"] == "normal"])
ends = dims[dims["layer"] == 2].set_index(["data", "kind"])["value"]
values |= {f"urns_{kind}": ends.loc[[("urns of 4", kind)]] for kind in ("normal", "lexical")}
at_the_end = moved[(moved["measure"] == "cosine") & (moved["layer"] == 2)].set_index("data")["value"]
values |= {"exchangeable_cosine": at_the_end.loc[["urns of 4"]], "words_cosine": at_the_end.loc[["aNbN"]]}
measured = {f"geometry/{name}": claims.Measured(each.mean(), each.sem(), len(each)) for name, each in values.items()}
is_published = scale == 1 and not changes.keys() - {"device", "threads"}
claims.table(measured, at_scale=is_published)

# %%
said = []
for measure in ("twonn", "cosine"):
    mine = geometry_summaries.rise(orders, measure)
    each = [(system, rise["value"]) for system, rise in mine.groupby("system", sort=False)]
    sides = "; ".join(f"{system} {in_words(rise.mean(), rise.sem())}" for system, rise in each)
    said.append(
        f"- **{geometry_summaries.NAMES[measure]}**, largest over layers, single tokens less whole texts: {sides}."
    )
signs = {"trained_post_minus_pre": "Trained, post less pre", "shuffled_cosine": "Shuffled, largest mean cosine"}
signs |= {"shuffled_dimension": "Shuffled, largest dimension", "shuffled_lower_less_upper": "Lower less upper half"}
ways = {"above": "above zero", "below": "below zero", "between": "not told from zero"}
for name, what in signs.items():
    found_to_be = uncertainty.of_few(values[name].tolist())
    said.append(f"- **{what}**: {found_to_be}, 95 % over seeds: {found_to_be.words(**ways)}.")
display(Markdown("\n".join(said)))

# %% [markdown]
# Not reproduced here: the original's size (six layers of width 384, contexts of 256; `gpu_12_geometry`), WikiText-2,
# and the published numbers, which are of models of eight billion weights and of another estimator.
#
# ## What to try next
#
# - `-f params/book.yaml`: the scale of this book, about ten minutes by two processes.
# - `-p prompts '["All the world is a stage", "stage a is world the All"]'`: does order show in the maps?
# - `-p tokenizer char`: the same plays letter by letter. Bits per byte compare; perplexities do not.
# - `-p corpus wikitext-2`: articles instead of plays, where there is a network; or a folder of your own.
# - `papermill book/02_train.ipynb out.ipynb -p task text -p norm_placement peri -p norm rms`: one model of text.
