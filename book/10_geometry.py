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
# # Token geometry: how vectors move through depth, training and order
#
# A transformer carries a vector for each token from block to block. How do these vectors lie to each other? In some
# models they draw together with depth, until all tokens of a text point almost the same way; in others they stay apart.
# It is said to depend on where the norms stand, on the MLP, on the training, and on whether the text makes sense: if
# its words are shuffled, their dimension and their likeness rise, in models more than ten thousand times as large as
# those here {cite}`viswanathan2025geometry`.
#
# Here are four small language models of the kind of LLaMA, which learn plays by Shakespeare, and the instruments by
# which their vectors are measured. Then the same instruments look at models of urns, coins and words, of which one
# knows what there is to be represented, and for which order means nothing, or everything. What the instruments tell of
# themselves turns out to be half of the story.
#
# A block adds to the vectors what attention and an MLP make of them ({term}`norm placement`). **Pre**: $x + f(N x)$,
# norms before. **Post**: $N(x + f x)$, norms after. The MLP is **SwiGLU**, $W (\mathrm{silu}(U x) \cdot G x)$, or
# **GELU**, $W\,\mathrm{gelu}(U x)$, with the same number of weights. Norms are RMSNorm and positions are rotary. One
# table embeds the tokens and reads them out. The matrices that write into the stream begin smaller by $\sqrt{2L}$.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/10_geometry.ipynb out.ipynb -p prompts '["Your own text, and more of it"]'`. What the models share
# stands in the grids `params/sweeps/geometry*.yaml`. Trainings have a half of `n_steps`. `-f params/book.yaml` is the
# scale of this book. To train on a text of your own, or on WikiText-2: `-p corpus wikitext-2`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
corpus: str = "plays"  # plays, wikitext-2, or a folder with train.txt, valid.txt, test.txt
tokenizer: str = "bpe"  # bpe (learned from the training text), char (characters), or gpt2
train_split: str = "train"  # split to train on: train, or valid (its last tenth then chooses the weights)
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
seed: int = 0  # the seed that every random stream is derived from
n_seeds: int = 1  # seeds, each with its own pool, to train with
prompts: list = []  # texts whose tokens are compared; []: two of ours
jobs: int = 2  # processes that train side by side
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("geometry")

# %% tags=["hide-input"]
from functools import partial

import pandas as pd
from IPython.display import Markdown, display

from lexurn import figure, set_threads

# %% tags=["hide-input"]
from lexurn import table as show_table
from lexurn.chapters.geometry import plots as chapter_plots
from lexurn.chapters.geometry import (
    predictions,
    shuffling,
    summaries,
    token_geometry,
    vector_geometry,
)
from lexurn.chapters.geometry import prompts as asked
from lexurn.figures import plots, widgets
from lexurn.generators import text
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.runs import cache, sweeps

# %%
set_threads(settings.machine.threads)
study, in_words, names = settings.study, intervals.format_with_error, summaries.MEASURE_NAMES
scale = settings.training.n_steps / (2 * sweeps.read("geometry").points[0].training.n_steps)
machine = {name: value for name, value in settings.changed().items() if name in ("device", "threads")}
data = {name: value for name, value in settings.changed().items() if name in ("corpus", "tokenizer", "train_split")}
seeds = range(settings.training.seed, settings.training.seed + study.n_seeds)
grid = sweeps.read("geometry", changes=machine | data, seeds=seeds, scale=scale)
known = sweeps.read("geometry_known", changes=machine, seeds=seeds, scale=scale)
compared_prompts = list(study.prompts) or asked.default_prompts(grid.points[0])
asked.encode_prompts(grid.points[0], compared_prompts)  # bad ones stop here
texts = token_geometry.held_out_sequences(grid.points[0])
number = f"{len(texts)} texts, the same for all; {study.n_seeds} seed(s) a line"


# %%
def tables_of(make, name, points):
    say = widgets.status_line()
    return cache.grid_table(points, make, name=name, jobs=study.jobs, say=say)


# %% [markdown]
# ## Before training
#
# Weights are random; what is there is the architecture. For every text the cosine of the tokens at each two places is
# averaged (the vector that stands for the beginning of a text is left out). If vectors pointed anywhere, it would be 0,
# but for those places where the same token stands, whose embeddings are the same. Attention then hands the same to many
# tokens, and what is the same adds up with depth. A guess: with norms after each sum the stream is cut back to one
# length every time, so that what attention brings counts for more, and tokens draw together sooner.
#
# All weights begin with a standard deviation of one fiftieth, as in the analyzer that this chapter follows; *larger
# weights*, as elsewhere in this book, with $1/\sqrt{\text{fan-in}}$. *Long embeddings* are multiplied so that they are
# $\sqrt{d}$ long, about ten: as long as a norm makes any vector.

# %% tags=["hide-input"]
depths = [6, 12, 24] if scale > 0.1 else [1, 2, 3]
parts = [cache.table(token_geometry.untrained_geometry, point, depths) for point in grid.points]
starts = cache.concat_tables(grid, parts)
starts = starts.rename(columns={"mean": "value"})
begin = intervals.mean_over_seeds(starts, ["measure", "what", "system", "layer"])
cosines = begin[begin["measure"] == "cosine"].rename(columns={"mean": "cosine"})
options = {"x": "layer", "y": "cosine", "line": "system", "by": "what", "legend": "untrained", "size": (3.6, 2.8)}
is_changed = cosines["what"].str.contains(",")
alt = "Mean cosine of the tokens of a text in each layer of untrained models: a panel a depth, a line an architecture."
figure(plots.curves, cosines[~is_changed], name="untrained", alt=alt, n=number, share_y=True, **options)
alt = f"The same for {depths[-1]} layers, with long embeddings, with larger weights, and with both."
figure(plots.curves, cosines[is_changed], name="lengths", alt=alt, n=number, share_y=True, **options)

# %% tags=["hide-input"]
ends = starts[(starts["layer"] == starts["n_layers"]) & (starts["measure"] == "cosine")]
cells = intervals.mean_over_seeds(ends, ["what", "system"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
table = cells.pivot(index="what", columns="system", values="text").loc[list(dict.fromkeys(starts["what"]))]
show_table(table.rename_axis(columns="mean cosine in the last layer", index=None))
equal = token_geometry.equal_token_share(texts)
null, spread = vector_geometry.isotropic_cosine(texts.shape[1] - 1, grid.points[0].backbone.d_model)
said = (
    f"Vectors that point anywhere, each its own way: {null:g} ± {spread:.4f} for one text. But the same token stands "
)
display(Markdown(f"{said}at {equal:.2%} of all pairs of places: so much the embeddings come to."))

# %% [markdown]
# How much does a block bring, and to what? Of the second block, the norm of what it adds, and of what is there:

# %% tags=["hide-input"]
added = starts[(starts["layer"] == 1) & starts["measure"].isin(["norm", "update"])]
cells = added.groupby(["what", "measure", "system"], sort=False)["value"].mean().unstack("system")
show_table(cells.loc[[f"{depths[-1]}{kind}" for kind in (" layers", ", long embeddings", ", larger weights")]])

# %% tags=["hide-input"]
last = begin[begin["measure"] == "cosine"].groupby(["what", "system"])["mean"].last()
kind = ("pre SwiGLU", "pre GELU"), ("post SwiGLU", "post GELU")
pre, post = ([last[f"{depths[-1]} layers", system] for system in each] for each in kind)
longer = [last[f"{depths[-1]}, long embeddings", system] for system in kind[0]]
guess = "right" if min(post) > max(pre) else "wrong" if max(post) < min(pre) else "not borne out"
lengths = "and once embeddings are long" if max(longer) < min(pre) else "and even where embeddings are long"
said = ", ".join(f"{value:.3f}" for value in longer)
display(Markdown(f"The guess is {guess}; {lengths}, models with pre-norm have a mean cosine of {said}."))

# %% [markdown]
# So, before training, placement acts by the length of the stream. Blocks of either kind bring about as much. Behind a
# post-norm the stream is $\sqrt{d}$ long from the first block on, and little is turned by what is added. Where norms
# come before, it begins as short as the embeddings are, is turned by all that comes, and every token gets a share of
# the same.
#
# ## Training
#
# Four models with one learning rate, chosen so that all four learn (at three times that rate post-norm did not).

# %% tags=["hide-input"]
whole, encoder = text.load(grid.points[0].task), text.load(grid.points[0].task).tokenizer
sizes = {split: len(whole.tokens(split)) for split in ("train", "valid", "test")}
per_token = sum(encoder.n_bytes[whole.tokens("test")]) / sizes["test"]
display(
    Markdown(
        f"Tokens: {sizes['train']:,} to learn from, {sizes['valid']:,} to choose the best weights by, and "
        f"{sizes['test']:,} for the test, of {len(encoder.pieces):,} kinds, {per_token:.2f} bytes each on average."
    )
)

# %% tags=["hide-input"]
found = dict(zip(grid.points, widgets.get_all(grid.points, jobs=study.jobs), strict=True))
runs = list(found.values())
parts = [run.metrics[["step", "validation_loss"]] for run in runs]
learned = cache.concat_tables(grid, parts).rename(columns={"validation_loss": "value"})
lines = intervals.mean_over_seeds(learned, ["system", "step"]).rename(columns={"mean": "validation_loss"})
alt = "The validation loss along training, a line for each of the four architectures."
options = {"x": "step", "y": "validation_loss", "line": "system", "legend": "system", "size": (5.4, 3.2)}
figure(plots.curves, lines, name="learning", alt=alt, n=number, runs=runs, **options)

# %% [markdown]
# Perplexity: exp of the mean loss of a token, over the whole test text, cut into sequences that do not overlap, each
# token predicted once. Of a model that says nothing it is the size of the vocabulary. Bits per byte compare across
# tokenizers. *Unigram* and *bigram* have counted the training text: tokens, and pairs.

# %% tags=["hide-input"]
scores = tables_of(predictions.perplexities, "perplexity-2", grid)
mine = scores[scores["who"] == "model"]
cells = {}
for measure in ("nats", "perplexity", "bits_per_byte"):
    each = intervals.mean_over_seeds(mine.assign(value=mine[measure]), ["system"])
    cells[measure] = dict(zip(each["system"], [in_words(*pair) for pair in each[["mean", "sem"]].values], strict=True))
    counted = scores[scores["who"] != "model"].drop_duplicates("who").set_index("who")[measure]
    cells[measure] |= {who: f"{value:.4g}" for who, value in counted.items()}
table = pd.DataFrame(cells).rename(columns={"nats": "nats a token", "bits_per_byte": "bits per byte"})
show_table(table.rename_axis(columns=f"test text, {study.n_seeds} seed(s)"))
display(Markdown(f"(Over its sequences the standard error of one model's loss is {mine['sem'].mean():.3f} nats.)"))

# %% [markdown]
# ## Over depth
#
# The same texts in trained models, with their best weights. *Update* is what a block adds, and its *cosine* that with
# what it is added to; *gradient* is that of the loss of a text (a short stream has large ones: as much moves it more).
# Of a thousand tokens of all texts together: *effective rank*, how many directions they use, and *dimension*, that of
# the surface they lie on, by the ratio of the distances to the two nearest neighbours (TwoNN). A spiral in space has
# dimension one, and three directions.

# %% tags=["hide-input"]
deep = tables_of(token_geometry.geometry_along_training, "geometry-3", grid)
deep = deep.rename(columns={"mean": "value", "sem": "sem_over_texts"})
best = deep[deep["best"]]
over = intervals.mean_over_seeds(best, ["measure", "system", "layer"]).rename(columns={"mean": "value"})
shown = ["cosine", "centred", "norm", "gradient", "update", "update_cosine", "effective_rank", "twonn"]
drawn = pd.concat([over[over["measure"] == measure].assign(measure=names[measure]) for measure in shown])
options = {"x": "layer", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "trained"}
alt = "Eight measures in each layer of trained models, a panel a measure, a line an architecture."
figure(plots.curves, drawn, name="depth", alt=alt, n=number, runs=runs, **options)

# %% tags=["hide-input"]
late = over[(over["layer"] == over["layer"].max()) & (over["measure"] == "cosine")].set_index("system")["value"]
order = ", ".join(f"{system} {late[system]:.3f}" for system in late.sort_values().index)
low, high = (over[(over["measure"] == "centred")]["value"].agg(each) for each in ("min", "max"))
display(
    Markdown(
        f"Mean cosine in the last layer, from apart to together: {order}. Once the mean of a text is taken away from "
        f"its vectors (*centred*), cosines are {low:.3f} to {high:.3f}: what tokens have in common is one direction."
    )
)

# %% [markdown]
# What does a dimension tell? The nearest neighbour of a token may be the same token in another place, whose vector
# differs only by what was before it. Then two distances are compared that have little to do with the surface. So
# beside it stands the dimension of clouds that hold every token *once*, in one of its places, and how often the nearest
# neighbour is the same token. *Neighbours kept*: the share of the ten nearest (of clouds of the second kind) that were
# among the ten nearest a layer before. (Embeddings have no copies: there both dimensions are of each token once.)

# %% tags=["hide-input"]
cells = {
    (names[measure], f"layer {layer}"): {
        system: in_words(*mine[["value", "sem"]].iloc[0])
        for system, mine in over[(over["measure"] == measure) & (over["layer"] == layer)].groupby("system", sort=False)
    }
    for measure in ("same_kind", "twonn", "mle", "twonn_once", "overlap")
    for layer in (1, 4)
}
show_table(pd.DataFrame(cells).T.rename_axis(["of", "at"]))

# %% tags=["hide-input"]
ends = over[over["layer"] == 4].groupby("measure")["value"].mean()
display(
    Markdown(
        f"Even in the last layer the nearest neighbour of {ends['same_kind']:.0%} of the tokens is the same token. The "
        f"dimension of {ends['twonn']:.1f} is that of copies: of each token once it is {ends['twonn_once']:.1f}."
    )
)

# %% [markdown]
# By place: the mean cosine of the token at a place with all others of its text. What to look for: a first token that
# stands apart, or a slope, as later tokens have seen more of the same. (Where all lines move together, it is the
# texts.)

# %% tags=["hide-input"]
placed = tables_of(token_geometry.position_table, "places-2", grid)
placed = placed[placed["layer"].isin([1, 4])].assign(value=lambda t: t["cosine"])
places = intervals.mean_over_seeds(placed, ["layer", "system", "position"]).rename(columns={"mean": "cosine"})
options = {"x": "position", "y": "cosine", "line": "system", "by": "layer", "titles": "layer {}", "legend": "trained"}
alt = "Mean cosine of a token with the others of its text, by its place: a panel a layer, a line an architecture."
figure(plots.curves, places, name="places", alt=alt, n=number, runs=runs, share_y=True, **options)

# %% tags=["hide-input"]
early, later = (placed[placed["position"].between(*ends)].groupby("system")["value"] for ends in ((0, 7), (8, 63)))
apart = (early.mean() - later.mean()).round(3)
display(Markdown(f"The first eight places less the others: {', '.join(f'{s} {v:+.3f}' for s, v in apart.items())}."))

# %% [markdown]
# ## Prompts
#
# All pairs of tokens of a text, at four depths: the embeddings, behind the first two blocks, and behind the last. Where
# the same token comes again, the embeddings are the same and their cosine is one; deeper, it depends on what was
# before. Below, what post-norm has more (violet) or less (orange) than pre-norm. `-p prompts` takes texts of your own.

# %%
pair = {name: found[grid.where(system=name)[0]] for name in ("pre SwiGLU", "post SwiGLU")}
make = partial(token_geometry.prompt_cosines, prompts=compared_prompts)
name = f"prompts-1-{asked.fingerprint(compared_prompts)}"
tables = cache.tables(list(pair.values()), make, name=name, jobs=study.jobs, say=widgets.status_line())
maps = dict(zip(pair, tables, strict=True))
different = maps["post SwiGLU"].assign(value=maps["post SwiGLU"]["value"] - maps["pre SwiGLU"]["value"])
every = pd.concat([t.assign(who=who) for who, t in {**maps, "post less pre": different}.items()], ignore_index=True)
every = every[every["layer"].isin([0, 1, 2, 4])]
every["what"] = every["who"] + ", layer " + every["layer"].astype(str)

# %% tags=["hide-input"]
for place, one_prompt in enumerate(compared_prompts):
    mine = every[every["prompt"] == place]
    options = {"by": "what", "size": (3.1, 2.7), "names": asked.token_texts(grid.points[0], one_prompt)}
    alt = f"Cosines of all pairs of tokens of '{one_prompt}' in two models at four depths, and their differences."
    options |= {"runs": list(pair.values()), "n": "1 text, 1 seed", "name": f"prompt_{place + 1}"}
    figure(chapter_plots.similarities, mine, alt=alt, **options)

# %% [markdown]
# ## During training
#
# From the first weights to the last: draw the slider, or play.

# %% tags=["hide-input"]
kept_steps = deep[~deep["best"]]
steps = sorted(kept_steps["step"].unique().tolist())
moving = intervals.mean_over_seeds(kept_steps[kept_steps["measure"] == "cosine"], ["step", "system", "layer"])
moving = moving.rename(columns={"mean": "cosine"})
alts = []
for step in steps:
    ends = moving[(moving["step"] == step) & (moving["layer"] == 4)].set_index("system")["cosine"]
    alts.append(f"Step {step}. Mean cosine in the last layer: {', '.join(f'{s} {v:.2f}' for s, v in ends.items())}.")
pages = {"each": {"step": steps}, "titles": "step {}", "size": (6.5, 3.2), "y": "cosine", "line": "system"}
pages |= {"alt": "Mean cosine over layers, page by page through the training.", "n": number, "legend": "system"}
widgets.flipbook(chapter_plots.over_depth, moving, label="step", alts=alts, name="moving", runs=runs, **pages)

# %% tags=["hide-input"]
shown = ["cosine", "norm", "effective_rank", "twonn_once"]
late = kept_steps[(kept_steps["layer"] == 4) & kept_steps["measure"].isin(shown)]
along = intervals.mean_over_seeds(late, ["measure", "system", "step"]).rename(columns={"mean": "value"})
drawn = pd.concat([along[along["measure"] == measure].assign(measure=names[measure]) for measure in shown])
options = {"x": "step", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "last layer"}
alt = "Four measures of the last layer along training: a panel a measure, a line an architecture."
figure(plots.curves, drawn, name="along", alt=alt, n=number, runs=runs, **options)

# %% tags=["hide-input"]
cosine = along[along["measure"] == "cosine"].set_index(["system", "step"])["value"]
peaks = [(system, *max((value, step) for (_, step), value in mine.items())) for system, mine in cosine.groupby(level=0)]
said = "; ".join(f"{system} {value:.2f} at step {step}" for system, value, step in peaks)
final = cosine.groupby(level=0).last().max()
display(Markdown(f"Highest mean cosine in the last layer: {said}; at the end it is {final:.2f} at most."))

# %% [markdown]
# (What a model learns first is how often tokens come at all: for that all vectors may be one. It then has to tell
# contexts apart, and vectors part again.)
#
# ## Which layers are alike?
#
# CKA compares two representations of the same tokens, whatever way they are turned: 1 is the same. A model beside its
# own beginning, beside one with the other norms and one with the other MLP, beside another seed, and beside its own
# vectors of *other tokens*, which have nothing in common: what CKA comes to for so many points in so many dimensions.
# (The Procrustes distance is what remains between two clouds of norm 1 after the best rotation: 0 is the same, 2 the
# most.)

# %% tags=["hide-input"]
one = found[grid.where(system="pre SwiGLU")[0]]
beside = {system: found[grid.where(system=system)[0]] for system in ("post SwiGLU", "pre GELU")}
if study.n_seeds > 1:
    beside["another seed"] = found[grid.where(system="pre SwiGLU")[1]]
others = [other.path.name for other in beside.values()]
name = f"cka-3-{asked.fingerprint(others)}"
make = partial(token_geometry.model_similarity, others=others)
(both,) = cache.tables([one], make, name=name, say=widgets.status_line())
both["who"] = both["who"].replace({other.path.name: who for who, other in beside.items()})
options = {"by": "who", "size": (3.2, 2.9), "down": "layer of pre SwiGLU", "runs": [one, *beside.values()]}
alt = "How alike the layers of the pre-norm SwiGLU model are to those of others, by CKA: a map for each other."
figure(chapter_plots.layer_similarity, both, name="alike", alt=alt, n="1000 tokens, 1 pair of models each", **options)

# %% tags=["hide-input"]
same = both[(both["layer"] == both["other"]) & (both["layer"] > 0)].groupby("who", sort=False)
table = (
    same[["value", "procrustes"]].mean().round(2).rename(columns={"value": "CKA", "procrustes": "Procrustes distance"})
)
show_table(table.T.rename_axis(columns="the same layer of both, mean over blocks", index=None))

# %% [markdown]
# ## Does order matter?
#
# Each text is cut into blocks, and these put into any order: 0 is the text as it was, 1 two halves (in a half of the
# texts they stay where they were), then blocks of a quarter, an eighth and a sixteenth, and 5 single tokens. Published,
# of far larger models: the largest dimension over layers rises, and so do the largest mean cosine and the loss; the
# dimension only in the lower half of the layers. (Layers behind blocks: embeddings know no order.)

# %% tags=["hide-input"]
orders = tables_of(shuffling.geometry_by_order, "orders-3", grid)
largest = summaries.layer_maxima(orders)
lines = intervals.mean_over_seeds(largest, ["measure", "system", "order"]).rename(columns={"mean": "value"})
shown = ["cosine", "loss", "twonn", "twonn_once"]
drawn = pd.concat([lines[lines["measure"] == measure].assign(measure=names[measure]) for measure in shown])
options = {"x": "order", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "system"}
alt = "Largest mean cosine, loss, and largest dimensions against how finely the text is shuffled; a line a system."
figure(plots.curves, drawn, name="orders", alt=alt, n=number, runs=runs, **options)

# %% tags=["hide-input"]
change = summaries.shuffling_effects(orders)
cells = intervals.mean_over_seeds(change[change["layer"] > 0], ["measure", "system", "layer"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
for measure in ("cosine", "twonn", "twonn_once"):
    wide = cells[cells["measure"] == measure].pivot(index="layer", columns="system", values="text")
    show_table(wide.rename_axis(columns=f"{names[measure]}: single tokens less whole texts"))

# %% tags=["hide-input"]
most = cells[cells["measure"] == "cosine"]["mean"].abs().max()
rises = [summaries.maximum_rise(orders, measure) for measure in ("loss", "twonn", "twonn_once")]
each_seed = [rise.groupby("seed")["value"].mean() for rise in rises]
loss, of_all, once = (in_words(mean.mean(), mean.sem()) for mean in each_seed)
ways = {"above": "rises too", "below": "falls", "between": "is not told from unchanged"}
then = intervals.t_interval(each_seed[2].tolist()).describe(**ways)
display(
    Markdown(
        f"Without order the loss rises by {loss} nats. No layer's mean cosine moves by more than {most:.4f}. The "
        f"largest dimension moves by {of_all}, but that of each token once by {once}: it {then}. (Means over the four "
        "systems, ± one standard error over seeds.)"
    )
)

# %% [markdown]
# Where the first rises and the second does not, what shuffling breaks is repetition: phrases that come again had copies
# of their vectors, and without order each token has another past.
#
# ## Where the answer is known
#
# The best prediction on a fresh urn follows from the counts of the colours, whose shares lie on a simplex of $V - 1$
# dimensions: 1 for coins, 3 and 7 for urns of four and eight colours. Do the vectors lie on a surface of that
# dimension, in models with learned embeddings and in lexical ones (looked at under one table)?

# %% tags=["hide-input"]
models = dict(zip(known.points, widgets.get_all(known.points, jobs=study.jobs), strict=True))
of_known = list(models.values())
simplest = tables_of(token_geometry.final_geometry, "geometry-end-3", known)
dims = simplest[simplest["measure"] == "twonn"].rename(columns={"mean": "value"})
lines = intervals.mean_over_seeds(dims[dims["layer"] > 0], ["data", "kind", "layer"])
free = {"coins": 1, "urns of 4": 3, "urns of 8": 7}
exact = [{"data": each, "kind": "V − 1", "layer": layer, "mean": n} for each, n in free.items() for layer in (1, 2)]
words = lines["data"] == "aNbN"
drawn = pd.concat([lines[words], lines[~words], pd.DataFrame(exact)]).rename(columns={"mean": "dimension"})
options = {"x": "layer", "y": "dimension", "line": "kind", "by": "data", "size": (3.2, 2.7), "legend": "embeddings"}
alt = "Dimension of the vectors in each layer of models of coins, urns and words, beside that of the counts."
figure(plots.curves, drawn, name="known", alt=alt, n=f"{study.n_seeds} seed(s) a line", runs=of_known, **options)

# %% [markdown]
# An instrument must be tried where the answer is known. So the same sequences once more, seen by the *predictions*: a
# point for each token, the logarithms of the probabilities less their mean. These have $V - 1$ directions by algebra.
# *Exact* are those of G, *spread evenly* as many points all over the simplex.

# %% tags=["hide-input"]
balls = [point for point in known.points if point.task.name == "urns"]
of_urns, make = [models[each] for each in balls], predictions.prediction_dimensions
tables = cache.tables(of_urns, make, name="predictions-2", jobs=study.jobs, say=widgets.status_line())
points = [t.assign(seed=p.training.seed, **known.coordinates[p.name]) for t, p in zip(tables, balls, strict=True)]
seen = pd.concat(points).melt(["who", "seed", "data", "kind"], var_name="measure")
seen["who"] = seen["who"].mask(seen["who"] == "model", seen["kind"] + " model")
cells = intervals.mean_over_seeds(seen.drop_duplicates(["who", "seed", "data", "measure"]), ["data", "who", "measure"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
cells["measure"] = cells["measure"].map(names)
wide = cells.pivot(index=["data", "who"], columns="measure", values="text").rename_axis(columns="of predictions")
show_table(wide.assign(known=wide.index.get_level_values("data").map(free)).rename(columns={"known": "V − 1"}))

# %% tags=["hide-input"]
ranks = simplest[(simplest["measure"] == "effective_rank") & (simplest["layer"] == 2)].rename(columns={"mean": "value"})
cells = intervals.mean_over_seeds(pd.concat([ranks, dims[dims["layer"] == 2]]), ["data", "kind", "measure"])
cells["text"] = [in_words(*each) for each in cells[["mean", "sem"]].values]
cells["measure"] = cells["measure"].map(names)
wide = cells.pivot(index=["data", "kind"], columns="measure", values="text")
show_table(wide.rename_axis(columns="of vectors, last layer"))

# %% [markdown]
# Counts of a few flips lie on a lattice, and the dimension of *exact* predictions comes out wrong in both ways: too
# large for coins, too small for urns of eight colours, whose points fill their seven dimensions too sparsely. What the
# dimension of a model's vectors says of simplexes is therefore nothing, and neither is it their rank, which is larger:
# a vector holds more than the next prediction. A surface must be sampled densely, or else what is measured is how it
# was sampled.
#
# Balls are exchangeable: shuffled, they are as likely as before, and no measure should move. Words of $a^nb^n$ are the
# other end: shuffled, they are no words. (Those shorter than a block stay as they are.)

# %% tags=["hide-input"]
mixed = tables_of(shuffling.geometry_by_order, "orders-3", known)
shown = ["centred", "twonn", "loss"]
mine = mixed[((mixed["layer"] == 2) | (mixed["measure"] == "loss")) & (mixed["kind"] == "normal")]
lines = intervals.mean_over_seeds(mine, ["measure", "data", "order"]).rename(columns={"mean": "value"})
drawn = pd.concat([lines[lines["measure"] == measure].assign(measure=names[measure]) for measure in shown])
options = {"x": "order", "y": "value", "line": "data", "by": "measure", "size": (3.4, 2.7), "legend": "normal models"}
alt = "Centred cosine and dimension of the last layer, and loss, against how finely sequences are shuffled."
number = f"64 sequences, {study.n_seeds} seed(s) a line"
figure(plots.curves, drawn, name="known_orders", alt=alt, n=number, runs=of_known, **options)

# %% [markdown]
# ## What agrees, and what does not

# %% tags=["hide-input"]
moved = summaries.shuffling_effects(mixed[mixed["kind"] == "normal"])
values = summaries.summary(starts, best, orders)
ends = dims[dims["layer"] == 2].set_index(["data", "kind"])["value"]
values |= {f"urns_{kind}": ends.loc[[("urns of 4", kind)]] for kind in ("normal", "lexical")}
at_the_end = moved[(moved["measure"] == "cosine") & (moved["layer"] == 2)].set_index("data")["value"]
values |= {"exchangeable_cosine": at_the_end.loc[["urns of 4"]], "words_cosine": at_the_end.loc[["aNbN"]]}
measured = {f"geometry/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()}
is_published = scale == 1 and not data
claims.table(measured, at_scale=is_published)

# %% [markdown]
# (*Undecided*: only the sign was claimed, and zero lies within the 95 % interval over seeds.)

# %% tags=["hide-input"]
estimates = {name: intervals.t_interval(each.tolist()) for name, each in values.items()}
said = [f"- {claims.get(f'geometry/{name}').quantity}: {interval}." for name, interval in estimates.items()]
display(Markdown("\n".join(said)))

# %% [markdown]
# Not reproduced here: the original's size (six layers of width 384, contexts of 256; `gpu_12_geometry`), WikiText-2,
# and the published numbers, which are of models of eight billion weights and of another estimator, of one cloud a text.
#
# ## What to try next
#
# - `-f params/book.yaml`: the scale of this book, about eight minutes by two processes.
# - `-p prompts '["All the world is a stage", "stage a is world the All"]'`: does order show in the maps?
# - `-p tokenizer char`: the same plays letter by letter. Bits per byte compare; perplexities do not.
# - `-p corpus wikitext-2`: articles instead of plays, where there is a network; or a folder of your own.
# - `papermill book/02_train.ipynb out.ipynb -p task text -p norm_placement peri -p norm rms`: one model of text.
