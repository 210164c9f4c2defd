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
# # Token geometry: what can the directions of vectors say about a transformer?
#
# Chapters 7 and 8 looked inside networks of coins and strings, for which the best predictions are known. Now we look at
# the vectors that a transformer carries from block to block. Published statements about them are about models of text,
# so we train small models of text. No best predictor of text is known. We keep what we can of known answers: we try
# each measure on clouds whose answer is known, and compare losses with those of counted characters.
#
# After this chapter you can say which measures could not have come out otherwise, judge a difference between models at
# matched loss, and read a similarity beside its controls.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.2.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
seed: int = 0  # the seed that every random stream is derived from
n_seeds: int = 1  # seeds, each with its own pool, to train with
prompts: list = []  # texts whose tokens are compared; []: two of ours
jobs: int = 2  # processes that train side by side
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads
# Also: corpus, train_split (see the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("geometry", fixed={"task": "text", "tokenizer": "char"})

# %% tags=["hide-input"]
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import brief, explorable, figure, set_threads
from lexurn import table as show_table
from lexurn.base.seeding import generator
from lexurn.base.wording import counted, percent
from lexurn.figures import plots, widgets
from lexurn.figures.figure_card import card
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.runs import cache, sweeps

# %% tags=["hide-input"]
set_threads(settings.machine.threads)
from lexurn.chapters.geometry import calibration, collapse, isotropy, live, matched, predictions
from lexurn.chapters.geometry import plots as chapter_plots
from lexurn.chapters.geometry import prompts as compared
from lexurn.chapters.geometry.flipbook import flipbook

study, in_words = settings.study, intervals.format_with_error
seeds_text = counted(study.n_seeds, "seed")
from lexurn.chapters.geometry import shuffling, summaries, token_geometry, trajectories
from lexurn.chapters.geometry.vector_geometry import cosines

names = summaries.MEASURE_NAMES
scale = settings.training.n_steps / (5 * sweeps.read("geometry").points[0].training.n_steps)
machine = {name: value for name, value in settings.changed().items() if name in ("device", "threads")}
data = {name: value for name, value in settings.changed().items() if name in ("corpus", "train_split")}

# %% tags=["hide-input"]
seeds = range(settings.training.seed, settings.training.seed + study.n_seeds)
read = partial(sweeps.read, seeds=seeds)
grid = read("geometry", changes=machine | data, scale=scale)
norms = read("geometry_norms", changes=machine | data, scale=scale)
first_steps = read("geometry_early", changes=machine | data, scale=min(4 * scale, 1.0))
known = read("geometry_known", changes=machine, scale=min(2 * scale, 1.0))
SYSTEMS = ("pre SwiGLU", "pre GELU", "post SwiGLU", "post GELU")
is_published = scale == 1 and not data and study.n_seeds == 3
prompt_texts = compared.read_prompts(study.prompts) or compared.default_prompts(grid.points[0])
compared.encode_prompts(grid.points[0], prompt_texts)  # bad ones stop here
box = display(Markdown("(The box *In brief* is filled in below.)"), display_id=True)
if not is_published:
    display(Markdown("(Sentences describe the scale of this book; the numbers in them are of this smaller run.)"))


# %% tags=["hide-input"]
def tables_of(make, name, points):
    return cache.grid_table(points, make, name=name, jobs=study.jobs, say=widgets.status_line())


def at_scale(finding):
    return finding if is_published else f"At the scale of this book: {finding}"


def span(values):
    interval = intervals.t_interval(list(values))
    if np.isnan(interval.low):
        return f"{interval.value:.3g} (too few seeds for an interval)".replace("-", "−")
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]".replace("-", "−")


# %% [markdown]
# ## A measure that cannot say no
#
# Three tokens of a text have the vectors (4, 1), (4, −1) and (5, 0). All point almost the same way, and their mean
# {term}`cosine <mean cosine>` is near 1. Is the model unable to distinguish them? No: they share one large component,
# and differ in the rest. So one subtracts their mean, and is left with (−⅓, 1), (−⅓, −1) and (⅔, 0). The mean cosine
# of these is negative. That looks like a finding, and is none: for $n$ centred vectors of equal length,
#
# $$ \Big\| \sum_i u_i \Big\|^2 = n + \sum_{i \neq j} \cos(u_i, u_j) = 0
#    \quad\Rightarrow\quad \text{mean cosine} = -\frac{1}{n - 1}, $$ (geometry-centred)
#
# whatever the cloud. What can differ is how the *spread* of a cloud is shared among directions. Let $\lambda$ be the
# eigenvalues of its covariance in $d$ dimensions. The {term}`participation ratio` counts directions, and the
# {term}`isotropy` puts it between 0 and 1 (it equals the IsoScore of {cite:t}`rudman2022isoscore`):
#
# $$ \mathrm{PR} = \frac{(\sum \lambda)^2}{\sum \lambda^2}, \qquad
#    \text{isotropy} = \frac{\mathrm{PR} - 1}{d - 1}. $$ (geometry-isotropy)

# %%
stream = generator(0, "clouds")
even = torch.randn(300, 32, generator=stream)
squeezed = even * torch.linspace(3, 0.01, 32)
variances = torch.linalg.eigvalsh(squeezed.T.cov())
participation = variances.sum() ** 2 / variances.square().sum()
score = (participation - 1) / (32 - 1)

# %% tags=["hide-input"]
every = torch.ones(1, 300, dtype=torch.bool)
clouds = {"even": even, "squeezed": squeezed}
centred = {name: cosines(x[None], every, centred=True).item() for name, x in clouds.items()}
shown = {name: isotropy.isotropy(x) for name, x in clouds.items()}
assert abs(shown["squeezed"] - score) < 1e-4
assert all(abs(value + 1 / 299) < 1e-3 for value in centred.values())
assert shown["squeezed"] < 0.7 * shown["even"]
display(
    Markdown(
        f"Two clouds of 300 points: of the even one, the mean centred cosine is {centred['even']:.4f}, of the "
        f"squeezed one {centred['squeezed']:.4f}. Their isotropies are {shown['even']:.2f} and "
        f"{shown['squeezed']:.2f}. (Even the even one is below 1: with {300} points in 32 dimensions one expects "
        f"{isotropy.expected_isotropy(300, 32):.2f}.)"
    )
)

# %% [markdown]
# ## Does the ruler read what is there?
#
# Isotropy counts directions. The *dimension* of a surface is another matter: a spiral in space has one dimension and
# three directions. {cite:t}`facco2017twonn` estimate it from the distances $r_1$ and $r_2$ of every point to its two
# nearest neighbours. If the density is constant there, $\mu = r_2 / r_1$ has the distribution
#
# $$ F(\mu) = 1 - \mu^{-d}, \qquad\text{so}\qquad -\ln(1 - F) = d \, \ln \mu . $$ (geometry-twonn)
#
# The slope is the estimate (*TwoNN*). Before we believe it, we try it on clouds whose dimension we know: $n$ Gaussian
# points of $d$ dimensions, turned into 64 dimensions, with noise in all 64. Expect that many dimensions need many
# points, and that noise adds dimensions as soon as it is as large as the distance to a neighbour.

# %% tags=["hide-input"]
synthetic = cache.table(calibration.synthetic_dimensions, 0)
twonn = synthetic[synthetic["measure"] == "twonn"]
cells = twonn.groupby(["noise", "d", "n"], as_index=False)["value"].agg(["mean", "sem"]).rename(columns={"n": "points"})
cells["known"] = cells["d"].astype(str) + " dimensions"
cells = cells.rename(columns={"mean": "estimate"})
at_1000 = cells[cells["points"] == 1000].set_index(["noise", "d"])["estimate"]
caption = (
    f"Without noise, 1000 points of 3 dimensions give {at_1000[0, 3]:.2g}, and of 15 dimensions {at_1000[0, 15]:.3g}. "
    f"Noise of a tenth turns 3 into {at_1000[0.1, 3]:.2g}. Panels: noise as a share of the spread."
)
options = {"x": "points", "y": "estimate", "line": "known", "by": "noise", "titles": "noise {}"}
options |= {"log": ["points", "estimate"], "size": (3.0, 2.9), "share_y": True, "legend": "truth", "caption": caption}
alt = "Estimated dimension against the number of points, for four true dimensions and three levels of noise."
figure(plots.curves, cells, name="calibration", alt=alt, n="5 clouds per point", **options)

# %% tags=["hide-input"]
assert all(abs(at_1000[0, d] / d - 1) < 0.12 for d in (1, 3, 7)) and at_1000[0, 15] < 14 and at_1000[0.1, 3] > 6
simplexes = pd.concat(
    [
        cache.table(calibration.known_dimensions, known.where(data=name, kind="normal")[0], 0).assign(data=name)
        for name in ("coins", "urns of 4", "urns of 8")
    ]
)

# %% tags=["hide-input"]
free = {"coins": 1, "urns of 4": 3, "urns of 8": 7}
wide = simplexes.pivot(index=["data", "cloud"], columns="measure", values="value").reset_index()
wide.insert(1, "truth", wide["data"].map(free))
at_rows = wide.set_index(["data", "cloud"])["twonn"]
assert all(abs(at_rows[name, "spread evenly"] / truth - 1) < 0.1 for name, truth in free.items())
assert at_rows["coins", "all rows"] > 2 and at_rows["urns of 8", "all rows"] < 5
caption = (
    f"Exact predictions lie on a lattice of counts: TwoNN gives {at_rows['coins', 'all rows']:.2g} for coins instead "
    f"of 1, and {at_rows['urns of 8', 'all rows']:.2g} for eight colours instead of 7."
)
columns = {"data": "predictions on", "cloud": "cloud", "truth": "V − 1", "twonn": "TwoNN", "mle": "MLE"}
columns |= {"participation": "directions (PR)"}
wide = wide.astype({"twonn": object, "mle": object}).fillna("too few points")
show_table(wide, columns, caption=caption, name="simplexes")

# %% [markdown]
# The table asks the same of clouds that this book knows exactly. The best prediction on a fresh urn with $V$ colours
# depends on shares that lie on a simplex of $V - 1$ dimensions. Points *spread evenly* over it are read correctly.
# The predictions of the exact predictor G, at all rows of sequences, are read as too many dimensions for coins and as
# too few for eight colours. After a few balls, counts are small whole numbers, and TwoNN sees their lattice. (After the
# last flip, a coin has only 33 different counts, which are too few for an estimate. MLE is a second estimator, from
# twenty neighbours.) So a single dimension of a model's vectors says little. Comparisons of equal clouds can say
# something, if nothing else changes. One thing that does change is *copies*.
#
# **Copies.** Two tokens that share their last characters have almost the same vectors for that reason alone, and are
# often each other's nearest neighbours. So we measure every dimension twice: with copies, and *without copies*, on
# clouds in which no two tokens share their last four characters.
#
# ## Models that have learned something
#
# Our models read eight plays by Shakespeare character by character. A block adds to the vectors what attention and an
# MLP make of them. The norms $N$ stand in one of four places ({term}`norm placement`):
#
# $$ \text{pre: } x + f(N x), \quad \text{post: } N(x + f x), \quad \text{peri: } x + N'(f(N x)), $$ (geometry-norms)
#
# and *mix* is post in the first quarter of the blocks, pre in the others. The MLP is SwiGLU,
# $W (\mathrm{silu}(U x) \cdot G x)$, or GELU, $W\,\mathrm{gelu}(U x)$, with about the same number of weights. Models
# with pre, peri and mix have one more norm behind the last block. These are the components of
# [llama-token-geometry](https://github.com/nikitus20/llama-token-geometry) (commit 5f1ab87d) at a smaller size. *The
# four systems* below are pre and post, each with SwiGLU and GELU.
#
# What must such a model do before its vectors are worth measuring? Counting is the rival. A *unigram* predicts each
# character by its frequency in the text, a *bigram* by how often it followed the last character, and a *5-gram* by the
# last four. Long contexts are rare, so their counts are smoothed, by Witten and Bell or by the better method of Kneser
# and Ney {cite}`chen1999smoothing`.

# %% tags=["hide-input"]
trained = dict(zip(grid.points, widgets.get_all(grid.points, jobs=study.jobs), strict=True))
others = dict(zip(norms.points, widgets.get_all(norms.points, jobs=study.jobs), strict=True))
runs, every_run = list(trained.values()), [*trained.values(), *others.values()]
n_grams = cache.table(predictions.n_gram_perplexities, grid.points[0]).set_index("who")
scores = pd.concat([tables_of(predictions.perplexities, "perplexity-3", each) for each in (grid, norms)])
along = pd.concat([tables_of(trajectories.along_training, "along-1", each) for each in (grid, norms)])
number = f"{seeds_text} per line"

# %% tags=["hide-input"]
five = n_grams.loc["5-gram (Kneser–Ney)", "nats"]
below_five = scores[scores["system"].isin(SYSTEMS)]
below_five = below_five.groupby("seed")["nats"].mean() - five
learned = along[(along["measure"] == "loss") & (along["step"] > 0)].assign(what="models")
lines = intervals.mean_over_seeds(learned, ["system", "step"]).rename(columns={"mean": "test_loss"})
lines = lines[lines["system"].isin(SYSTEMS)]
of_counts = cache.table(trajectories.n_gram_losses, grid.points[0]).set_index("who")["loss"].loc[["bigram", "5-gram"]]
levels = pd.DataFrame(
    [{"system": who, "step": s, "test_loss": level} for who, level in of_counts.items() for s in lines["step"].unique()]
)
caption = at_scale("The four systems end far below counted pairs (bigram), and near a smoothed 5-gram.")
alt = "Test loss along training for four architectures, with the losses of counted pairs and of a 5-gram."
options = {"x": "step", "y": "test_loss", "line": "system", "legend": "", "size": (5.6, 3.3), "log": ["step"]}
options |= {"caption": caption, "runs": runs}
figure(plots.curves, pd.concat([lines, levels]), name="learning", alt=alt, n=number, **options)

# %% tags=["hide-input"]
witten = n_grams.loc["5-gram (Witten–Bell)", "nats"]
order = n_grams.index.drop("3-gram (Kneser–Ney)")
rows = [{"who": name, **n_grams.loc[name, ["nats", "perplexity", "bits_per_byte"]]} for name in order]
for system, part in scores.groupby("system", sort=False):
    estimates = {name: intervals.t_interval(part[name]) for name in ("nats", "perplexity", "bits_per_byte")}
    rows.append({"who": system} | {name: (each.value, each.error) for name, each in estimates.items()})
caption = at_scale("Every model loses less than a Witten–Bell 5-gram, and more than a Kneser–Ney 5-gram or 6-gram.")
columns = {"who": "predictor", "nats": "nats per character", "perplexity": "perplexity"}
columns |= {"bits_per_byte": "bits per byte"}
show_table(pd.DataFrame(rows), columns, caption=caption, name="losses")

# %% tags=["hide-input"]
worst = scores["nats"].max() / n_grams.loc["bigram", "nats"]
below_witten = scores[scores["system"].isin(SYSTEMS)].groupby("seed")["nats"].mean() - witten
if is_published:
    assert scores["nats"].max() < min(witten, n_grams.loc["4-gram (Kneser–Ney)", "nats"])
    assert scores["nats"].min() > max(five, n_grams.loc["6-gram (Kneser–Ney)", "nats"])
    assert intervals.t_interval(below_five.tolist()).low > 0 and worst < 0.7
display(
    Markdown(
        f"(The whole test text, {int(scores['n_tokens'].iloc[0]):,} characters, in sequences that do not overlap; ± "
        f"is the standard error over seeds.) So the worst model has {worst:.0%} of the bigram's loss: these models "
        f"know more than pairs of characters. Per character, the four systems lose {span(-below_witten)} nats less "
        f"than the Witten–Bell 5-gram, and {span(below_five)} nats more than the Kneser–Ney 5-gram. We had forecast "
        "the opposite sign for the latter, from a few hundred sequences of the validation text. This forecast is "
        "refuted."
    )
)

# %% [markdown]
# ## Over depth
#
# We give every model the same 64 texts of 64 characters. Layers go from the embeddings (0) to the output of the last
# block (4) and of the norm behind it (5), which post-norm models do not have. A mean cosine near 1 means that the
# vectors share a direction. *Share of the mean vector* is that direction's share of the squared length. *Spread of
# centred cosines* is the standard deviation of the cosines after the mean is subtracted.
#
# We had two forecasts. With a norm after every sum, no direction can grow for long, so post-norm vectors should be more
# isotropic. And we expected, without a theory, that they lie closer together, with a larger mean cosine. Both may hold:
# isotropy is about the spread around the mean vector, and the mean cosine is about the mean vector itself.

# %% tags=["hide-input"]
best = matched.at_end(along)
shown = ["cosine", "common", "isotropy", "spread", "twonn", "twonn_once"]
four = best[best["system"].isin(SYSTEMS)]
over = intervals.mean_over_seeds(four, ["measure", "system", "layer"]).rename(columns={"mean": "value"})
is_few = over["measure"].str.startswith("twonn") & (over["layer"] == 0)  # embeddings are as few as characters
over = over[~is_few]
drawn = pd.concat([over[over["measure"] == measure].assign(measure=names[measure]) for measure in shown])

# %% tags=["hide-input"]
ends = {
    name: best[(best["layer"] == 4) & best["system"].str.startswith(name)].groupby("measure")["value"].mean()
    for name in ("pre", "post")
}
caption = (
    f"After four blocks, the mean cosine is {ends['pre']['cosine']:.2f} with pre-norm and {ends['post']['cosine']:.2f} "
    f"with post-norm, and the isotropy {ends['pre']['isotropy']:.2f} and {ends['post']['isotropy']:.2f}."
)
options = {"x": "layer", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "trained"}
alt = "Six measures in each layer of trained models: a panel per measure, a line per architecture."
figure(plots.curves, drawn, name="depth", alt=alt, n=number, runs=runs, caption=caption, **options)

# %% [markdown]
# ## At equal steps, at matched loss, or at neither?
#
# Models with different placements of the norms also learn at different speeds. A difference between them may come from
# what they have learned, and not from the norms. So we compare twice: with the last weights (at equal steps), and at
# *matched loss*, where every run has the loss at which the worst of them ends. (A run that learns faster has a higher
# learning rate at that moment; this is not controlled.) A difference *holds* if its 95 % interval over seeds excludes
# zero. And we compare at two places: in the last layer, and at the *read-out*, behind the last norm. Models with
# post-norm have that norm inside their last block, so that the two places are one.

# %% tags=["hide-input"]
loss = matched.matched_loss(along)
pairs = {
    "post minus pre": (["post SwiGLU", "post GELU"], ["pre SwiGLU", "pre GELU"]),
    "GELU minus SwiGLU": (["pre GELU", "post GELU"], ["pre SwiGLU", "post SwiGLU"]),
    "peri minus pre": (["peri SwiGLU"], ["pre SwiGLU"]),
    "mix minus pre": (["mix SwiGLU"], ["pre SwiGLU"]),
}

# %% tags=["hide-input"]
at_matched_loss = matched.at_loss(along, loss)
measures = {name: names[name] for name in ("cosine", "isotropy", "spread", "twonn", "twonn_once")}
judged, both = [], {}
for place, layer in (("last layer", 4), ("read-out", -1)):
    both[place] = [matched.differences(table, pairs, layer) for table in (best, at_matched_loss)]
    judged.append(matched.verdicts(*both[place], measures).assign(place=place))
judged = pd.concat(judged, ignore_index=True)
columns_of_pairs = {"comparison": "comparison", "measure": "measure", "place": "where", "steps": "at equal steps"}
columns_of_pairs |= {"matched": "at matched loss", "holds": "holds"}

# %% tags=["hide-input"]
is_post = judged["comparison"] == "post minus pre"
is_gelu = (judged["comparison"] == "GELU minus SwiGLU") & (judged["place"] == "read-out")
main = judged[is_post | (is_gelu & judged["measure"].isin([names["cosine"], names["isotropy"]]))]
holds = main.set_index(["comparison", "place", "measure"])["holds"].sort_index()
if is_published:
    assert (holds.loc["post minus pre", "last layer"] == "at both").sum() >= 3
    assert (holds.loc["post minus pre", "read-out"] == "at neither").all()
    assert (holds.loc["GELU minus SwiGLU"] == "at both").all()
    assert (holds.loc["post minus pre"].xs(names["twonn_once"], level="measure") == "at neither").all()
caption = at_scale("Pre and post differ in the last layer; at the read-out no difference holds. Mean ± standard error.")
show_table(main, columns_of_pairs, caption=caption, name="matched")

# %% tags=["hide-input"]
post_pre = {
    place: [table[table["comparison"] == "post minus pre"].set_index("measure")["value"] for table in tables]
    for place, tables in both.items()
}
isotropic = {place: tables[0].loc[["isotropy"]] for place, tables in post_pre.items()}
isotropic_matched = {place: tables[1].loc[["isotropy"]] for place, tables in post_pre.items()}
reached = at_matched_loss.drop_duplicates(["system", "seed"])["step"]

# %% tags=["hide-input"]
display(
    Markdown(
        "So at the read-out, none of the five differences between post-norm and pre-norm holds. The difference of "
        f"isotropy there is {span(isotropic['read-out'])} at equal steps. In the last layer, post-norm vectors are "
        f"more isotropic by {span(isotropic['last layer'])} at equal steps and by "
        f"{span(isotropic_matched['last layer'])} at matched loss. But there, post-norm vectors have just been normed, "
        "and pre-norm vectors have not. The mean cosine is smaller with post-norm, so the first of the two forecasts "
        "is reproduced and the second is refuted. The differences of dimension are about as large at the read-out. So "
        "the last norm, which may explain the difference of isotropy, would not explain them. But only one of the four "
        "holds, at equal steps alone: whether the others exist, three seeds do not tell. The kind of MLP makes a small "
        "difference that holds in both comparisons."
    )
)

# %% tags=["hide-input"]
display(
    Markdown(
        f"(With our recipe all models learn about equally fast: they reach the matched loss of {loss:.3g} nats, "
        "on validation text, "
        f"between steps {reached.min():.0f} and {reached.max():.0f}, so that matching changes little here. "
        f"Without any effect, one in twenty of the {len(judged)} differences would hold by chance. With n = "
        f"{study.n_seeds}, a small difference that does not hold may still be there.)"
    )
)

# %% [markdown]
# ## Together and apart again: the first steps
#
# Early in training, the vectors of a text draw together until all point almost the same way, and then part again. We
# call the step of the largest mean cosine the *collapse*. One explanation is that a model first learns how often
# characters come at all, for which one vector suffices. It can be tested: at the collapse, the predictions should be
# nearest to the unigram. And if the collapse belongs to what is learned, and not to the step, a longer warm-up of the
# learning rate should delay both by the same factor. We train the first 80 steps, and look after every second one. (At
# first we looked from step 20 on. Four trainings had reached the maximum by then, so we looked again; the forecasts
# stayed.)

# %% tags=["hide-input"]
parts = [cache.table(trajectories.early_training, point) for point in first_steps.points]
early = cache.concat_tables(first_steps, parts)
turning = trajectories.turning_points(early)
last = early[early["layer"] == early["layer"].max()]
cosine = last[last["measure"] == "cosine"].assign(what="mean cosine, last layer")
distance = early[early["measure"] == "from unigram"].assign(what="distance from the unigram (nats)")
drawn = pd.concat([cosine, distance])
drawn["line"] = drawn["norm_placement"] + ", warm-up " + drawn["warmup"].astype(str)
lines = intervals.mean_over_seeds(drawn[drawn["step"] > 0], ["what", "line", "step"]).rename(columns={"mean": "value"})

# %% tags=["hide-input"]
middle = turning[turning["warmup"] == 50].groupby("norm_placement")[["collapse", "unigram"]].mean()
caption = (
    f"With a warm-up of 50 steps, the mean cosine is largest at step {middle['collapse']['pre']:.0f} with pre-norm and "
    f"at {middle['collapse']['post']:.0f} with post-norm; predictions are nearest to the unigram at "
    f"{middle['unigram']['pre']:.0f} and {middle['unigram']['post']:.0f}."
)
options = {"x": "step", "y": "value", "line": "line", "by": "what", "size": (3.9, 3.0), "legend": ""}
alt = "Mean cosine and distance from the unigram in the first 80 steps, for two norm placements and two warm-ups."
figure(plots.curves, lines, name="early", alt=alt, n=number, caption=caption, **options)

# %% tags=["hide-input"]
logs = turning.assign(collapse=np.log(turning["collapse"]), unigram=np.log(turning["unigram"]))
ratio = (logs["collapse"] - logs["unigram"]).groupby(logs["seed"]).mean()
by_warmup = logs.groupby(["seed", "warmup"])[["collapse", "unigram"]].mean().unstack("warmup")
later = by_warmup["collapse"][200] - by_warmup["collapse"][50]
follows = later - (by_warmup["unigram"][200] - by_warmup["unigram"][50])
turned = {place: collapse.factors_of(part) for place, part in turning.groupby("norm_placement")}
beside = np.exp((logs["collapse"] - logs["unigram"]).groupby([logs["norm_placement"], logs["warmup"]]).mean())
both_follow = collapse.factor(follows)


def factor_text(each):
    if np.isnan(each.low):
        return f"{each.value:.3g} (too few seeds for an interval)"
    if each.high - each.low < 1e-9:
        return f"{each.value:.3g} (equal for all seeds)"
    return f"{each.value:.3g} [{each.low:.3g}, {each.high:.3g}]"


# %% tags=["hide-input"]
labels = {"ratio": "collapse ÷ step nearest to the unigram (geometric mean)", "collapse": "delay of the collapse"}
labels |= {"unigram": "delay of the unigram", "follows": "ratio of the delays"}
rows = [{"norms": place} | {name: factor_text(turned[place][name]) for name in labels} for place in ("pre", "post")]
caption = at_scale(
    "Pre-norm models collapse before the step nearest to the unigram, and post-norm ones later on average. All are "
    "factors: the first is a geometric mean over the warm-ups of 50 and 200 steps, and delays are those by 200 steps "
    "instead of 50."
)
show_table(pd.DataFrame(rows), {"norms": "norms", **labels}, caption=caption, name="turning")

# %% tags=["hide-input"]
if is_published:
    is_pre = turning["norm_placement"] == "pre"
    assert (turning["collapse"] < turning["unigram"])[is_pre].all() and turned["pre"]["ratio"].high < 1
    assert (turning["collapse"] > turning["unigram"])[~is_pre].all() and turned["post"]["ratio"].low < 1
    assert all(each["collapse"].low > 1 and each["follows"].low < 1 < each["follows"].high for each in turned.values())
    assert both_follow.high < 1 and middle["unigram"]["pre"] - middle["collapse"]["pre"] == 2

# %% tags=["hide-input"]
display(
    Markdown(
        "So the two come at similar steps, and not at the same one. With pre-norm the collapse comes first, at "
        f"{factor_text(turned['pre']['ratio'])} times the step nearest to the unigram (geometric mean over the two "
        "warm-ups). With the short warm-up, its lead is a single step of our measurement. With post-norm it comes "
        f"later in all {int((turning['norm_placement'] == 'post').sum())} trainings, at {beside['post', 50]:.2g} times "
        f"that step with the short warm-up and at {beside['post', 200]:.2g} times with the long one. But the interval "
        "of their geometric mean contains 1: the mean cosine stays on a plateau, so the step of its maximum is "
        "uncertain. For each placement alone, equal delays are not excluded. Over both, the collapse is delayed less: "
        f"{factor_text(both_follow)} times as much as the unigram (n = {study.n_seeds}, 95 % intervals). So a longer "
        "warm-up delays both events, as it would delay anything that follows the sum of learning rates. Whether one "
        "explains the other, this does not show."
    )
)

# %% [markdown]
# ## What does shuffling break?
#
# {cite:t}`viswanathan2025geometry` shuffle the tokens of a text and find, in models of seven to eight billion weights,
# that the dimension of its vectors rises, and so do their mean cosine and the loss. Is it because the model cannot
# predict the text any more? Shuffling also breaks repetition: phrases that come again lie beside their copies in a
# text, and not in a shuffled one. Two controls separate the explanations. Dimensions *without copies* leave no
# repetition to break. And a *substitution cipher* replaces every character by another one, always the same. The model
# cannot predict such a text, but all its repetitions stay.

# %% tags=["hide-input"]
orders = tables_of(shuffling.geometry_by_order, "orders-4", grid)
ciphers = tables_of(shuffling.geometry_of_cipher, "cipher-1", grid).assign(order=0, block=64)
shown = ["twonn", "twonn_once", "cosine", "loss"]
rises = {name: summaries.maximum_rise(orders, name).groupby("seed")["value"].mean() for name in shown}
top = summaries.layer_maxima(pd.concat([ciphers, orders[orders["order"] == 0].assign(order=-1)]))
ciphered = top.pivot_table(index=["measure", "system", "seed"], columns="order", values="value")
by_cipher = (ciphered[0] - ciphered[-1]).groupby(["measure", "seed"]).mean()
share = by_cipher["twonn"] / rises["twonn"]

# %% tags=["hide-input"]
largest = summaries.layer_maxima(orders)
lines = intervals.mean_over_seeds(largest, ["measure", "system", "order"]).rename(columns={"mean": "value"})
drawn = pd.concat([lines[lines["measure"] == measure].assign(measure=names[measure]) for measure in shown])
caption = (
    f"Shuffled to single characters, the largest dimension changes by {rises['twonn'].mean():+.2g} with copies and by "
    f"{rises['twonn_once'].mean():+.2g} without copies."
)
options = {"x": "order", "y": "value", "line": "system", "by": "measure", "size": (3.2, 2.6), "legend": "system"}
alt = "Largest dimensions with and without copies, mean cosine and loss, against how finely text is shuffled."
figure(plots.curves, drawn, name="orders", alt=alt, n=number, runs=runs, caption=caption, **options)

# %% tags=["hide-input"]
lengths = tables_of(shuffling.dimensions_by_copies, "copies-1", grid)
highest = lengths.groupby(["text", "length", "system", "seed"], sort=False)["value"].max().reset_index()
per_seed = highest.groupby(["text", "length", "seed"], sort=False)["value"].mean().reset_index()
cells = intervals.mean_over_seeds(per_seed, ["text", "length"]).rename(columns={"mean": "dimension"})
repeated = lengths[lengths["length"] == 4].groupby("text")["repeated"].mean()
by_text = per_seed.pivot(index=["length", "seed"], columns="text", values="value")
gaps = {length: (part["shuffled"] - part["text"]) for length, part in by_text.groupby("length")}
left_out = cells[cells["length"] > 0].rename(columns={"length": "copies"})
at = cells.set_index(["text", "length"])["dimension"]
caption = (
    f"Without copies of four characters, the largest dimension is {at['text', 4]:.3g} for text, {at['cipher', 4]:.3g} "
    f"for the cipher and {at['shuffled', 4]:.3g} for shuffled text (clouds of {lengths['n'].max()} points)."
)
options = {"x": "copies", "y": "dimension", "line": "text", "legend": "", "size": (5.0, 3.2), "log": ["copies"]}
alt = "Largest dimension against the length of copies that are left out, for text, cipher and shuffled text."
figure(plots.curves, left_out, name="copies", alt=alt, n=f"4 systems, {number}", runs=runs, caption=caption, **options)

# %% tags=["hide-input"]
few_gap = by_text.loc[4]["cipher"] - by_text.loc[4]["text"]
apart_once, few_apart = rises["twonn_once"] - by_cipher["twonn_once"], gaps[4] - few_gap
if is_published:
    assert intervals.t_interval(rises["twonn_once"].tolist()).low > 0
    assert intervals.t_interval((rises["twonn"] - rises["twonn_once"]).tolist()).low > 0
    assert intervals.t_interval(by_cipher["twonn_once"].tolist()).low > 0
    assert intervals.t_interval(by_cipher["twonn"].tolist()).low > 0 and intervals.t_interval(gaps[2].tolist()).low < 0

# %% tags=["hide-input"]
if is_published:
    assert intervals.t_interval((rises["twonn"] - by_cipher["twonn"]).tolist()).low > 0
    undecided = [intervals.t_interval(each.tolist()) for each in (apart_once, few_apart)]
    assert all(each.low < 0 < each.high for each in undecided)
    assert intervals.t_interval((rises["twonn"] - by_cipher["twonn"] - apart_once).tolist()).low > 0

# %% tags=["hide-input"]
display(
    Markdown(
        f"In the text, {percent(repeated['text'])} of the characters have a copy, in the shuffled text "
        f"{percent(repeated['shuffled'])}. With copies, shuffling raises the largest dimension by "
        f"{span(rises['twonn'])}, and the cipher, which keeps every repetition, only by {span(by_cipher['twonn'])}. "
        f"Without copies of four characters we cannot distinguish the two: shuffling raises it by "
        f"{span(rises['twonn_once'])}, the cipher by {span(by_cipher['twonn_once'])}, and the difference is "
        f"{span(apart_once)}. (These clouds have {token_geometry.N_POINTS} points. In the smaller clouds of the "
        f"figure, the rises are {gaps[4].mean():.2g} and {few_gap.mean():.2g}, and their difference is "
        f"{span(few_apart)}.)"
    )
)

# %% tags=["hide-input"]
published_cosine = claims.get("geometry/shuffled_cosine").published
display(
    Markdown(
        "So text that a model cannot predict has a larger dimension, also where every repetition is kept. (The cipher "
        "makes rare characters frequent, too, which may be the reason.) With copies, shuffling does more than the "
        "cipher, as one expects if it also breaks copies. In our "
        "models, the published direction does not rest on copies of four characters. Whether it rests on "
        "shorter ones is open: in the smaller clouds, without copies of two characters, shuffling raises the dimension "
        f"by {span(gaps[2])}. (The loss of shuffled text is larger by {span(rises['loss'])} nats. The largest mean "
        f"cosine changes by {span(rises['cosine'])}; the published rise is {published_cosine}. Means over the four "
        f"systems, n = {len(share)} seeds, 95 % intervals.)"
    )
)

# %% [markdown]
# ## Are two models alike, or only their characters?
#
# {term}`CKA` {cite}`kornblith2019cka` compares two representations of the same tokens, however they are turned: 1 is
# the same. But CKA can also be large for trivial reasons. With few points in many dimensions, unrelated clouds look
# alike; the *debiased* form {cite}`song2012hsic` is 0 for these. If one direction holds most of the spread, it decides
# alone; we take it away. And all models know which character they look at. So we exchange the vectors of one model
# among occurrences of the *same character*: then position and context no longer match, and only the character does.

# %% tags=["hide-input"]
similar = []
for seed_of, seed_value in enumerate(seeds):
    of_seed = {name: trained[grid.where(system=name)[seed_of]] for name in ("pre SwiGLU", "post SwiGLU", "pre GELU")}
    beside = {name: run for name, run in of_seed.items() if name != "pre SwiGLU"}
    if study.n_seeds > 2:
        beside["another seed"] = trained[grid.where(system="pre SwiGLU")[(seed_of + 1) % study.n_seeds]]
    paths = [run.path.name for run in beside.values()]
    make = partial(token_geometry.model_similarity, others=paths)
    name = f"cka-4-{compared.fingerprint(paths)}"
    (table,) = cache.tables([of_seed["pre SwiGLU"]], make, name=name, say=widgets.status_line())
    titles = dict(zip(paths, beside, strict=True))
    similar.append(table.assign(seed=seed_value, who=table["who"].replace(titles)))
similar = pd.concat(similar, ignore_index=True)
equal = similar[(similar["layer"] == similar["other"]) & (similar["layer"] > 0)]

# %% tags=["hide-input"]
kinds = {"debiased": "as they are", "without_first": "without the first direction"}
kinds |= {"same_type": "exchanged within a character", "other_tokens": "exchanged among all"}
drawn = equal.melt(["who", "seed", "layer"], [*kinds], var_name="vectors").replace({"vectors": kinds})
lines = intervals.mean_over_seeds(drawn, ["who", "vectors", "layer"]).rename(columns={"mean": "CKA"})
lines.loc[lines["who"] == "another seed", ["low", "high", "sem"]] = np.nan  # three pairs of three models: no sample
of_post = equal[(equal["who"] == "post SwiGLU") & (equal["layer"] == 4)].set_index("seed")
beyond = of_post["debiased"] - of_post["same_type"]
caption = (
    f"In the last layer, pre and post have a CKA of {of_post['debiased'].mean():.2f}, and still "
    f"{of_post['same_type'].mean():.2f} if vectors are exchanged within a character."
)
options = {"x": "layer", "y": "CKA", "line": "vectors", "by": "who", "size": (3.0, 2.7), "share_y": True}
options |= {"legend": "vectors", "caption": caption, "runs": runs}
options |= {"n": f"1000 tokens, {counted(study.n_seeds, 'pair')} of models"}
alt = "Debiased CKA of equal layers of two models, with three controls: a panel per other model."
figure(plots.curves, lines, name="alike", alt=alt, **options)

# %% tags=["hide-input"]
chance = of_post["other_tokens"]
untrained = equal[(equal["who"] == "untrained") & (equal["layer"] == 4)]
first_layer = equal[(equal["who"] == "post SwiGLU") & (equal["layer"] == 1)].set_index("seed")
beyond_first = first_layer["debiased"] - first_layer["same_type"]
of_seeds = equal[(equal["who"] == "another seed") & (equal["layer"] == 4)]
text_of_seeds = "" if of_seeds.empty else (
    f" Between two seeds of pre-norm, CKA is {of_seeds['debiased'].mean():.3g} before the exchange, on average "
    f"({len(of_seeds)} pairs of {len(of_seeds)} models, so no interval)."
)
if is_published:
    assert intervals.t_interval(beyond.tolist()).low > 0.2
    assert intervals.t_interval((beyond - beyond_first).tolist()).low > 0 and beyond_first.max() < 0.1
    assert chance.abs().max() < 0.02
    assert (untrained["debiased"] - untrained["same_type"]).abs().max() < 0.02

# %% tags=["hide-input"]
display(
    Markdown(
        f"So between the last layers of pre and post, CKA is {span(of_post['debiased'])}, and "
        f"{span(of_post['same_type'])} remains after the exchange: it lowers CKA by {span(beyond)}. (CKA is not "
        f"additive, so these numbers are no shares.){text_of_seeds} In the first layer, the exchange lowers CKA by "
        f"only {span(beyond_first)}, which is {span(beyond - beyond_first)} less. So in the last layer, the two models "
        "may share more beyond the character, or less of a vector may be fixed by its character: this we cannot tell. "
        "Between the last layers of pre-norm models and of the same models untrained, the exchange hardly changes CKA "
        f"({untrained['debiased'].mean():.2f} and {untrained['same_type'].mean():.2f}). Unrelated vectors have "
        f"{chance.abs().max():.1g} at most. Without the direction of the largest variance, pre and post have "
        f"{span(of_post['without_first'])}."
    )
)

# %% [markdown]
# ## Look for yourself
#
# All pairs of characters of a text, in a pre-norm and a post-norm model: choose the layer and the step, and point at a
# character, or move to it by the arrow keys. Watch the first steps for the collapse, and look for places where the same
# character comes again. *Post minus pre* is the difference of the two maps.

# %% tags=["hide-input"]
pair = {name: trained[grid.where(system=name)[0]] for name in ("pre SwiGLU", "post SwiGLU")}
make = partial(live.pack_prompts, prompts=prompt_texts)
name = f"packed-1-{compared.fingerprint(prompt_texts)}"
packed = cache.tables(list(pair.values()), make, name=name, say=widgets.status_line())
packed = dict(zip(pair, packed, strict=True))
texts = [compared.token_texts(grid.points[0], prompt) for prompt in prompt_texts]
last_step = max(packed["pre SwiGLU"]["step"])
chosen = f"prompt == 0 and layer == 4 and step == {last_step}"
maps = {who: live.unpack_cosines(table.query(chosen)) for who, table in packed.items()}
keys = ["first", "second"]
minus = maps["post SwiGLU"].set_index(keys)["value"] - maps["pre SwiGLU"].set_index(keys)["value"]
drawn = pd.concat([table.assign(who=who) for who, table in [*maps.items(), ("post minus pre", minus.reset_index())]])

# %% tags=["hide-input"]
off = np.tril_indices(len(texts[0]), -1)
squares = [table.pivot(index="first", columns="second", values="value").to_numpy()[off] for table in maps.values()]
agreement = np.corrcoef(*squares)[0, 1]
caption = f"In the last layer, mostly the same pairs are alike (violet) in both models: r = {agreement:.2f} over pairs."
words = {"alt": "Cosines of all pairs of characters in two models, and their difference.", "n": "1 text, 1 seed"}
options = {"by": "who", "size": (3.1, 2.7), "names": texts[0], "runs": list(pair.values()), "caption": caption}
picture = card(chapter_plots.similarities, drawn, name="prompt", **words, **options)
alt = "Choose a layer and a step, and see how alike the vectors of a text's characters are."
explorable("tokens", live.similarity_data(packed, texts), fallback=picture, alt=alt)

# %% [markdown]
# ## Details and controls
#
# *Grids.* What the models share stands in the grids `params/sweeps/geometry*.yaml`. Trainings have a fifth of
# `n_steps`.
#
# *Before training.* Weights are random, and the architecture decides. All weights begin with a standard deviation of
# one fiftieth, as in the source. With pre-norm, vectors begin short, as the embeddings are. What attention adds turns
# them easily, and it adds the same to many tokens. We can test this reading. A norm behind the embeddings
# (`input_norm`, the source's `use_initial_ln`) gives them the length $\sqrt{d}$. A factor $1/\sqrt{d}$ (`input_scale`)
# gives them length 1, which is still six times their length without the norm. In both cases the mean cosine stays low.
# (The source scales the initial weights of the MLP's output projection alone, in the version that we read. Here the
# output of attention is scaled as well.)

# %% tags=["hide-cell"]
depths = [6, 12, 24] if scale > 0.1 else [1, 2, 3]
parts = [cache.table(token_geometry.untrained_geometry, point, depths) for point in grid.points]
starts = cache.concat_tables(grid, parts).rename(columns={"mean": "value"})
begin = intervals.mean_over_seeds(starts[starts["measure"] == "cosine"], ["what", "system", "layer"])
deep = begin[begin["what"].str.startswith(f"{depths[-1]}")].rename(columns={"mean": "cosine"})
ends = deep.groupby(["what", "system"])["cosine"].last().unstack("what")
of_pre = ends.loc[["pre SwiGLU", "pre GELU"]].mean()
caption = (
    f"Untrained, {depths[-1]} layers: with pre-norm the mean cosine ends at {of_pre[f'{depths[-1]} layers']:.2f}. If a "
    f"norm gives the embeddings the length √d, it ends at {of_pre[f'{depths[-1]}, long embeddings']:.2f}; if they are "
    f"then scaled to length 1, at {of_pre[f'{depths[-1]}, long, times 1/√d']:.2f}."
)
options = {"x": "layer", "y": "cosine", "line": "system", "by": "what", "legend": "untrained", "size": (3.6, 2.8)}
options |= {"share_y": True, "caption": caption}
alt = "Mean cosine in each layer of untrained models, a panel per change of the embeddings, a line per architecture."
figure(plots.curves, deep, name="untrained", alt=alt, n=number, **options)

# %% [markdown]
# *Norms, updates, neighbours.* What the next block adds (none follows layer 4), and how often the nearest neighbour of
# a token is a copy.

# %% tags=["hide-cell"]
deepest = tables_of(token_geometry.final_geometry, "geometry-end-5", grid).rename(columns={"mean": "value"})
kept = ["norm", "update", "update_cosine", "gradient", "effective_rank", "same_kind", "same_gram", "mle", "mle_once"]
cells = deepest[deepest["layer"].isin([1, 4]) & deepest["measure"].isin(kept)].copy()
cells["placement"] = cells["system"].str.split(" ").str[0] + ", layer " + cells["layer"].astype(str)
wide = cells.groupby(["measure", "placement"], sort=False)["value"].mean().unstack("placement")
wide.index = [names.get(name, "dimension (MLE), without copies") for name in wide.index]
wide = wide.astype(object).where(wide.notna(), "")
copies_near = deepest[(deepest["measure"] == "same_gram") & (deepest["layer"] == 4)]["value"].mean()
caption = f"In the last layer the nearest neighbour is a copy for {copies_near:.0%} of the tokens."
show_table(wide.rename_axis("measure", axis=0), caption=caption, name="details")

# %% [markdown]
# *By position.* The mean cosine of the character at a position with all others of its text: does the first one stand
# apart? (Where all lines move together, it is the texts.)

# %% tags=["hide-cell"]
placed = tables_of(token_geometry.position_table, "places-3", grid)
placed = placed[placed["layer"].isin([1, 4])].assign(value=lambda table: table["cosine"])
places = intervals.mean_over_seeds(placed, ["layer", "system", "position"]).rename(columns={"mean": "cosine"})
early_ones, later_ones = (placed[placed["position"].between(*ends)]["value"].mean() for ends in ((0, 7), (8, 63)))
caption = f"The first eight characters have a mean cosine of {early_ones:.2f} with the others, later ones "
caption += f"have {later_ones:.2f}."
options = {"x": "position", "y": "cosine", "line": "system", "by": "layer", "titles": "layer {}", "legend": "trained"}
alt = "Mean cosine of a character with the others of its text, by position: a panel per layer, a line per system."
figure(plots.curves, places, name="places", alt=alt, n=number, share_y=True, caption=caption, **options)

# %% [markdown]
# *Peri, mix, and the kind of MLP.* The other comparisons.

# %% tags=["hide-cell"]
other = judged.drop(main.index)
n_peri = int((other["holds"] == "at both").sum())
caption = f"Of the other {len(other)} differences, {n_peri} hold at equal steps and at matched loss."
show_table(other, columns_of_pairs, caption=caption, name="peri")

# %% [markdown]
# *From the first weights to the last.* Drag the slider, or press play.

# %% tags=["hide-input"]
moving = along[(along["measure"] == "cosine") & along["system"].isin(four["system"].unique())]
moving = intervals.mean_over_seeds(moving, ["step", "system", "layer"]).rename(columns={"mean": "cosine"})
steps = sorted(moving["step"].unique().tolist())
alts = []
for step in steps:
    ends = moving[(moving["step"] == step) & (moving["layer"] == 4)].set_index("system")["cosine"]
    alts.append(f"Step {step}. Mean cosine in the last layer: {', '.join(f'{s} {v:.2f}' for s, v in ends.items())}.")
caption = "The mean cosine over layers changes most in the first steps of training."
pages = {"each": {"step": steps}, "titles": "step {}", "size": (6.5, 3.2), "y": "cosine", "line": "system"}
pages |= {"alt": "Mean cosine over layers, page by page through the training.", "n": number, "legend": "system"}
pages |= {"caption": caption, "runs": runs}
flipbook(chapter_plots.over_depth, moving, label="step", alts=alts, name="moving", **pages)

# %% [markdown]
# *Vectors where the answer is known.* Models of fresh urns and coins, with learned and with redrawn embeddings: the
# dimension of their vectors, one for each vector of counts, so that there are no copies.

# %% tags=["hide-cell"]
known_runs = dict(zip(known.points, widgets.get_all(known.points, jobs=study.jobs), strict=True))
balls = [point for point in known.points if point.task.name == "urns"]
of_balls = [known_runs[point] for point in balls]
options = {"name": "vectors-1", "jobs": study.jobs, "say": widgets.status_line()}
of_urns = cache.tables(of_balls, calibration.vector_dimensions, **options)
coordinates = [known.coordinates[point.name] | {"seed": point.training.seed} for point in balls]
vectors = pd.concat([table.assign(**own) for table, own in zip(of_urns, coordinates, strict=True)])
dims = vectors[(vectors["measure"] == "twonn") & (vectors["layer"] > 0)]
lines = intervals.mean_over_seeds(dims, ["data", "kind", "layer"]).rename(columns={"mean": "dimension"})
exact = [{"data": each, "kind": "V − 1", "layer": k, "dimension": n} for each, n in free.items() for k in (1, 2)]
drawn = pd.concat([lines, pd.DataFrame(exact)]).dropna(subset=["dimension"])
caption = "TwoNN does not give V − 1 for most lines of models, nor for some exact predictions."
options = {"x": "layer", "y": "dimension", "line": "kind", "by": "data", "size": (3.2, 2.7), "legend": "embeddings"}
alt = "Dimension of the vectors in each layer of models of coins and urns, beside that of the counts."
figure(plots.curves, drawn, name="known", alt=alt, n=f"{seeds_text} per line", caption=caption, **options)

# %% tags=["hide-cell"]
if is_published:
    last = lines[(lines["data"] == "urns of 4") & (lines["kind"] == "normal")].iloc[-1]
    without_copies = intervals.t_interval_of_mean(last["dimension"], last["sem"], last["n"], level=0.9)
    assert without_copies.low > claims.get("geometry/urns_normal").high

# %% [markdown]
# *Balls and strings.* Balls are exchangeable: shuffled, they are as likely as before, and no measure should move.
# Strings of $a^nb^n$ are the other end: shuffled, they are no strings of the language. (Strings shorter than a block
# stay as they are.)

# %% tags=["hide-cell"]
mixed = tables_of(shuffling.geometry_by_order, "orders-4", known)
mixed = mixed[mixed["kind"] == "normal"]
mine = mixed[(mixed["layer"] == 2) | (mixed["measure"] == "loss")]
shown = {"cosine": "mean cosine", "spread": names["spread"], "loss": names["loss"]}
lines = intervals.mean_over_seeds(mine, ["measure", "data", "order"]).rename(columns={"mean": "value"})
drawn = pd.concat([lines[lines["measure"] == measure].assign(measure=name) for measure, name in shown.items()])
moved = summaries.shuffling_effects(mixed)
caption = "Shuffling keeps the mean cosine of balls; whether it moves that of strings is undecided."
options = {"x": "order", "y": "value", "line": "data", "by": "measure", "size": (3.4, 2.7), "legend": "normal models"}
alt = "Mean cosine and spread in the last layer, and loss, against how finely sequences are shuffled."
options |= {"caption": caption, "n": f"64 sequences, {seeds_text} per line"}
figure(plots.curves, drawn, name="known_orders", alt=alt, **options)

# %% tags=["remove-cell"]
values = summaries.summary(starts, four[four["layer"] <= 4], orders)
all_tokens = tables_of(token_geometry.final_geometry, "geometry-end-5", known)
ends = all_tokens[(all_tokens["measure"] == "twonn") & (all_tokens["layer"] == 2)].set_index(["data", "kind"])["mean"]
values |= {f"urns_{kind}": ends.loc[[("urns of 4", kind)]] for kind in ("normal", "lexical")}
at_the_end = moved[(moved["measure"] == "cosine") & (moved["layer"] == 2)].set_index("data")["value"]
values |= {"exchangeable_cosine": at_the_end.loc[["urns of 4"]], "words_cosine": at_the_end.loc[["aNbN"]]}
at_steps, at_loss = post_pre["last layer"]
values |= {"below_five_gram": below_five, "isotropy_steps": at_steps.loc[["isotropy"]]}
values |= {"isotropy_matched": at_loss.loc[["isotropy"]], "trained_matched": at_loss.loc[["cosine"]]}
values |= {"cipher_share": share, "collapse_ratio": ratio, "collapse_later": later, "collapse_follows": follows}
values |= {"cka_beyond_character": beyond}
# The first edition's estimates on urns are with all tokens, as their claims are.
at_three = twonn[(twonn["n"] == 1000) & (twonn["d"] == 3)].set_index("noise")["value"]
values |= {"known_three": at_three.loc[[0.0]], "known_three_noisy": at_three.loc[[0.1]]}
measured = {f"geometry/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()}

# %% [markdown]
# ## Published, forecast, found
#
# The rule of the verdicts, and what changed since the first edition, stand on [the page of claims](claims.md). Bands
# were written before the runs that they judge. Where a result of earlier models was known by then, that page says so.
# The published numbers are of models of seven to eight billion weights and of another estimator, so only signs compare.
# Three forecasts on the collapse average pre and post, and their bands are wide. So their verdicts say less than the
# table of the collapse. Those on urns are judged on clouds with copies, as they were written. Without copies, in
# *Vectors where the answer is known*, the forecast on normal models would be refuted, too.

# %% tags=["hide-input"]
listed = claims.table(measured, at_scale=is_published).reset_index()
families = [claims.get(key).family for key in measured]
published_as = [
    f"{name}: {number}" if number and name == "published" else name
    for name, number in zip(families, listed["published"], strict=True)
]
listed = listed.assign(family=published_as)
columns = {name: name for name in ("quantity", "family", "ours", "n", "band", "verdict")}
n_of = listed.groupby(families)["verdict"].value_counts()


def tally(family):
    n_reproduced, n_refuted = (n_of.get((family, name), 0) for name in ("reproduced", "refuted"))
    return f"{families.count(family)} {claims.FAMILIES[family]}, {n_reproduced} are reproduced and {n_refuted} refuted"


# %% tags=["hide-input"]
caption = f"Of {tally('forecast')}; of {tally('published')}; of {tally('check')}. The others are undecided."
show_table(listed, columns, caption=caption, name="claims")

# %% [markdown]
# ## What this does not show
#
# - One corpus, one size (four layers of width 64), three seeds. The source's own size (six layers of width 384, GPT-2's
#   tokens) is the grid `gpu_12_geometry`, which has not been run here.
# - At matched loss, learning rates differ. Models that reach the loss earlier are compared at a higher rate.
# - *Without copies* leaves out tokens that share four characters. Tokens that share a longer past in other words, or
#   the same grammar, remain.
# - The published estimator (GRIDE, which uses more distant neighbours) and the published clouds (one text of 1024
#   tokens) are not ours: only directions compare.
# - A cipher also makes frequent characters rare. It shows the effect of text that a model cannot predict, not of text
#   without sense.
# - TwoNN has no known answer for the vectors of a model of text. The calibration says what it does on clouds that are
#   simpler than these.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What is the mean cosine of the three centred vectors at the beginning of this chapter, after each is scaled to length
# one? Why is it not exactly $-1/2$?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# The cosines are $-0.8$, $-0.32$ and $-0.32$, so the mean is $-0.48$. The rule is exact where the centred vectors have
# one length; here the third is shorter.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# A cloud has the variances 4, 1, 1, 1 and 1 in five dimensions. What are its participation ratio and its isotropy?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# $\mathrm{PR} = 8^2 / (16 + 4) = 3.2$, so the isotropy is $2.2 / 4 = 0.55$.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# Every point of a cloud of dimension 2 is replaced by two copies, each with a little noise in 64 dimensions. What does
# TwoNN do? And with four copies?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# The nearest neighbour is now the copy, at the distance of the noise, and the second one is far away. So $\mu$ is large
# for every point, and the estimate falls far below 2. With four copies, both neighbours are copies, and TwoNN reads the
# dimension of the noise, which is large. Copies can bend it either way.
# :::
#
# :::{admonition} Exercise 4
# :class: exercise
# Two models have a CKA of $0.9$ in a layer, and still $0.85$ after the vectors of one have been exchanged among equal
# characters. What have they in common?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# Mostly the character that they look at, which both get as their input. With position and context exchanged, CKA is
# hardly lower. ($0.05$ is no share of what they have in common, because CKA is not additive.)
# :::
#
# :::{admonition} Exercise 5
# :class: exercise
# With three seeds, two kinds of models differ by $0.10 \pm 0.02$ at equal steps and by $0.06 \pm 0.02$ at matched loss
# (mean ± standard error). At which of the two does the difference hold, and what follows?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# For three seeds, the 95 % interval is the mean ± $4.30$ standard errors. So it goes from $0.014$ to $0.186$ at equal
# steps, and from $-0.026$ to $0.146$ at matched loss. The difference holds at equal steps only. It may come from what
# the models have learned by then, and not from their kind. That there is no difference at matched loss is not shown.
# :::

# %% tags=["remove-cell"]
assert calibration.count_predictions(known.where(data="aNbN", kind="normal")[0]) < 20
assert known.where(data="coins", kind="normal")[0].task.context_length == 32
three = torch.tensor([[4.0, 1], [4, -1], [5, 0]])
unit = torch.nn.functional.normalize(three - three.mean(0), dim=-1)
pairs_of_three = (unit @ unit.T)[[0, 0, 1], [1, 2, 2]]
assert torch.allclose(pairs_of_three, torch.tensor([-0.8, -0.316, -0.316]), atol=2e-3)
assert abs(pairs_of_three.mean() + 0.48) < 5e-3
variances = torch.tensor([4.0, 1, 1, 1, 1])
assert abs(variances.sum() ** 2 / variances.square().sum() - 3.2) < 1e-6
surface = torch.randn(400, 2, generator=generator(0, "surface")) @ torch.randn(2, 64, generator=generator(1, "surface"))
noisy = [surface.repeat(n, 1) + 1e-4 * torch.randn(400 * n, 64, generator=generator(n, "copies")) for n in (2, 4)]
estimates = [calibration.readings(cloud)["twonn"] for cloud in noisy]
assert estimates[0] < 1 and estimates[1] > 10

# %% tags=["remove-cell"]
of_exercise = [intervals.t_interval_of_mean(mean, 0.02, 3) for mean in (0.10, 0.06)]
assert np.allclose([of_exercise[0].low, of_exercise[0].high], [0.014, 0.186], atol=5e-4)
assert np.allclose([of_exercise[1].low, of_exercise[1].high], [-0.026, 0.146], atol=5e-4)

# %% tags=["hide-input"]
findings = [
    "After the last block, post-norm vectors, just normed, are more isotropic by "
    f"{span(isotropic['last layer'])}; with both normed, we find no difference "
    f"({span(isotropic['read-out'])}).",
    f"Early in training, the mean cosine has a maximum: at {factor_text(turned['pre']['ratio'])} (pre-norm) and "
    f"{factor_text(turned['post']['ratio'])} (post-norm) times the step with predictions nearest to character "
    "frequencies (geometric means over two warm-ups).",
    "If no two tokens share their last four characters, a cipher raises the dimension by "
    f"{span(by_cipher['twonn_once'])}, shuffling by {span(rises['twonn_once'])}.",
]

# %% tags=["hide-input"]
box.update(
    brief(
        question="What do the directions of token vectors say about a transformer?",
        done=f"We train {len(every_run)} models of Shakespeare, and try each measure on known clouds.",
        found=findings,
        sure=f"n = {study.n_seeds} seeds; one corpus, one size.",
        change="Larger models that differ behind the last norm.",
    )
)

# %% [markdown]
# ## What to try next
#
# - `-f params/book.yaml`: the scale of this book.
# - `-p prompts my_prompts.txt`: one prompt per line; the interactive figure shows them all.
# - `lexurn evaluate task=text`: perplexity and bits per byte of all stored models of text.
# - `-p corpus wikitext-2`: articles instead of plays, where there is a network; or a folder of your own.
# - `papermill book/02_train.ipynb out.ipynb -p task text -p input_norm True -p norm rms`: one model of text.
#
# Five repositories gave the questions of this book, and its chapters met their claims one by one. [Chapter
# 11](11_originals) asks: what of these claims stands?
