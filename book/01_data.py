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
# # Data: urns, sequences, and the exact predictors
#
# Before any model is trained: what does it see, what could it learn from that, and could we tell which of these it
# learned? The data are as simple as data can be. An **urn** $\theta$ holds balls of $V$ colours in proportions
# $\theta_1, \dots, \theta_V$; a **sequence** is balls drawn from one urn with replacement. Urns themselves are drawn
# from a Dirichlet distribution with concentration $\alpha$. A *pool* of $D$ urns is drawn once, and every training
# sequence comes from one of them. At evaluation there are three kinds of sequences: new ones from the {term}`pool`
# ({term}`in distribution`), ones from fresh urns ({term}`out of distribution`), and constant ones
# ({term}`low entropy`).
#
# Because the generator is known, so are the best predictions, under each idea of where the urn comes from. G and M are
# the two strategies of {cite:t}`wurgaft2025strategies`; S is M for a model that knows no names
# {cite}`huang2023lexinvariant`.
#
# - **G**, the {term}`generalizing predictor`: from anywhere. After $t$ balls, $n_v$ of colour $v$, it predicts
#   $(n_v + \alpha) / (t + V\alpha)$.
# - **M**, the {term}`memorizing predictor`: from the pool. It recognizes which of the pool's urns it sees.
# - **S**, the {term}`symmetrized predictor`: from the pool, with the colours renamed. It recognizes the urn up to the
#   names of its colours.
#
# *Row* $t$ of a prediction has seen $t$ balls. The {term}`distance` of two predictors is their symmetrized KL
# divergence, $d(p, q) = \frac{1}{2} \mathrm{KL}(p \| q) + \frac{1}{2} \mathrm{KL}(q \| p)$ in nats, averaged over rows
# $1 \dots C$ (row 0 has seen nothing) and over sequences. This chapter draws the three, and finds out where they differ
# enough for an experiment to tell them apart.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal: `papermill book/01_data.ipynb out.ipynb -p n_tasks 4`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
alpha: float = 1.0  # concentration of the Dirichlet prior: a number, or one per colour
context_length: int = 32  # most tokens that the model sees before a prediction
n_test_samples: int = 500  # held-out sequences per split
seed: int = 0  # the seed that every random stream is derived from
n_pools: int = 24  # pools that exact figures are averaged over
threads: int = 1  # CPU threads

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("data", fixed={"task": "urns"})

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import comparison, evaluation, figure, set_threads, tasks
from lexurn import table as show_table
from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.chapters.data import discrimination
from lexurn.chapters.data import plots as chapter_plots
from lexurn.figures import plots
from lexurn.generators.urns import Urns
from lexurn.measures import intervals
from lexurn.predictors import cache_predictions
from lexurn.runs import cache

# %%
set_threads(settings.machine.threads)
seed, n_pools = settings.training.seed, settings.study.n_pools
data = tasks.build(settings)
task, pool, splits = data.prior, data.pool, data.held_out()
references = cache_predictions(data.references(), splits)

# %% [markdown]
# ## Urns
#
# An urn is a point of the simplex; with three colours, of a triangle whose corners are urns of one colour. The
# concentration says where urns lie: below 1 near the corners (peaked urns), at 1 uniformly, above 1 near the middle
# (flat urns). Most of what follows depends on how peaked an urn is.

# %% tags=["hide-input"]
from lexurn.chapters.data import tables

drawn = {}
for concentration in (0.3, 1.0, 5.0):
    urns = Urns(3, concentration).sample_tasks(300, generator=generator(seed, "simplex", str(concentration)))
    drawn[concentration] = tables.from_matrix(urns).assign(concentration=concentration)
figure(
    chapter_plots.simplex,
    pd.concat(drawn.values()),
    by="concentration",
    titles="α = {}",
    size=(3.0, 2.8),
    n="300 urns each",
    alt="Urns as points in three triangles: near the corners for α = 0.3, everywhere for 1, near the middle for 5.",
)

# %% [markdown]
# Here is the pool that models with these settings are trained on, or the first dozen of its urns, beside fresh ones.

# %% tags=["hide-input"]
fresh = task.sample_tasks(12, generator=generator(seed, "fresh urns"))
shown = {"training pool": pool, "fresh urns": fresh} if pool is not None else {"fresh urns": fresh}
proportions = pd.concat(tables.from_matrix(urns[:12]).assign(urns=name) for name, urns in shown.items())
figure(
    chapter_plots.urns,
    proportions,
    by="urns",
    size=(4.2, 3.0),
    n="at most 12 urns each",
    alt="The proportions of the colours in each urn as a bar: the urns of the training pool, and a dozen fresh ones.",
)

# %% [markdown]
# ## Sequences
#
# Up to six sequences of each kind, ball by ball: $C$ balls to be seen, and one more to be predicted. Sequences from the
# same urn look alike; out of distribution every sequence has favourites of its own. (Constant sequences are all there
# are, one a colour: an error given for them is a spread, no uncertainty.)

# %% tags=["hide-input"]
for name, tokens in splits.items():
    shown, title = tables.from_matrix(tokens[:6, :40]), name.replace("_", " ")
    alt = f"Sequences, {title}, as rows of balls, each with the number of its colour."
    options = {"name": f"balls-{name}", "title": title, "size": (9.0, 2.2), "n": f"{len(shown)} sequences"}
    figure(chapter_plots.balls, shown, alt=alt, **options)

# %% [markdown]
# How much is there to predict? The entropy of an urn is the loss per ball that remains even to who knows the urn, at
# most $\ln V$. The entropy of a sequence's own frequencies lies below it on average, because a short sequence looks
# more regular than its urn is: that is why guessing from few balls needs a prior.

# %% tags=["hide-input"]
truth = task.sample_tasks(settings.training.n_test_samples, generator=generator(seed, "entropies"))
tokens = task.sample(truth, settings.task.context_length, generator=generator(seed, "entropies", "balls"))
frequencies = torch.nn.functional.one_hot(tokens, task.n_colors).double().mean(1)
of_urns, of_sequences = (divergences.entropy(each.log()) for each in (truth, frequencies))
table = pd.concat(
    pd.DataFrame({"kind": kind, "entropy": values})
    for kind, values in (("fresh urns", of_urns), ("their sequences", of_sequences))
)
alt = "How many urns, and how many of their sequences, have at most so much entropy: two rising curves."
options = {"legend": "entropy of", "size": (6.5, 3.2), "n": f"{len(truth)} urns with a sequence each"}
figure(chapter_plots.entropies, table, alt=alt, **options)
gap = intervals.format_mean(of_urns - of_sequences)
display(
    Markdown(f"Sequences of {tokens.shape[1]} balls fall {gap} nats short of their urns (n = {len(truth)}, paired).")
)

# %% [markdown]
# ## The exact predictors, ball by ball
#
# The probability of each colour (its number stands at the end of its line) after the balls below. In distribution,
# expect M to be right from the start, and the others to come to it. On a fresh urn, G should end near the frequencies,
# M can only weigh the urns of its pool, and S only choose between their renamings.

# %% tags=["hide-input"]
for name in [each for each in splits if each != "low_entropy"]:
    table, title = evaluation.predict_sequence(references, splits[name][:1]), name.replace("_", " ")
    alt = f"The probability of each colour, ball by ball, for a sequence {title}: a panel for each exact predictor."
    options = {"by": "predictor", "title": title, "size": (3.4, 2.6), "share_y": True, "n": "1 sequence"}
    figure(plots.predictions, table, name=f"predictions-{name}", alt=alt, **options)

# %% [markdown]
# The same ball by ball, to be moved by hand: the last sequence above, up to 32 balls of it. Before you move it: after
# which ball will each of them be sure of a colour, and which of them will have to take that back?

# %% tags=["hide-input"]
from lexurn.figures import widgets

few, alts = table[table["row"] <= 32], []
for row, now in few.groupby("row"):
    now = now.groupby("predictor")["probability"]
    said = "; ".join(f"{who} {' '.join(f'{p:.2f}' for p in now.get_group(who))}" for who in references)
    alts.append(f"Balls seen: {row}. Probabilities of the colours: {said}.")
alt = "What each exact predictor says of the next ball, as bars, after each number of balls; the balls are above."
pages = {"each": {"row": list(range(len(alts)))}, "titles": "", "size": (6.5, 2.8)}
widgets.flipbook(chapter_plots.predictions_after, few, label="balls seen", alts=alts, alt=alt, n="1 sequence", **pages)

# %% tags=["hide-input"]
for name in [each for each in splits if each != "low_entropy" and pool is not None]:
    table = evaluation.evaluate(references["memorizing"], references, {name: splits[name]})
    parts = []
    for who in [each for each in references if each != "memorizing"]:
        rows = [evaluation.select(table, split=name, row=row).loc[who] for row in ("1", "last")]
        parts.append(f"{who} " + " and ".join(intervals.format_with_error(row["mean"], row["sem"]) for row in rows))
    where = f"{name.replace('_', ' ')}, n = {len(splits[name])}"
    display(Markdown(f"Distance from M after one ball and after all ({where}): {'; '.join(parts)}."))

# %% [markdown]
# Which of them loses least, where? In distribution M cannot be beaten, it *is* the Bayes optimum there; on fresh urns G
# is, and M should pay for its certainty. S, which knows the urns but not the names of their colours, should come
# between.

# %% tags=["hide-input"]
table, orders = {}, []
for split, sequences in splits.items():
    losses = {
        who: comparison.mean_over_rows(divergences.negative_log_likelihood(predictor(sequences), sequences))
        for who, predictor in references.items()
    }
    table[split] = {who: intervals.format_mean(values) for who, values in losses.items()}
    if split != "low_entropy":
        orders.append(f"{split.replace('_', ' ')}, {discrimination.ranking(losses)} (n = {len(sequences)})")
show_table(pd.DataFrame(table))

# %% tags=["hide-input"]
display(
    Markdown(
        f"Nats per ball, compared on the same sequences (≈: not told by two errors): {'; '.join(orders)}. "
        "A model can be anywhere between these predictors; its *distances* to them say where."
    )
)

# %% [markdown]
# ## Where can an experiment tell them apart?
#
# If G and S predict nearly the same, no experiment can say which of them a model became. Here is $d(G, S)$, and beside
# it $d(G, M)$, out of distribution, ± one standard error over pools, for the context length and the concentration of
# this chapter's settings. Expect it to shrink with the number of urns $D$: the more urns, the more the pool
# resembles the prior that G integrates over.

# %% tags=["hide-input"]
concentration = settings.task.alpha if isinstance(settings.task.alpha, float) else 1.0  # one for any number of colours
colors, sizes, length = [2, 3, 4, 5, 6, 8], [1, 2, 4, 16], settings.task.context_length
pairwise = cache.table(discrimination.pairwise_grid, colors, sizes, concentration, length, n_pools, seed)

# %% tags=["hide-input"]
pairwise = pd.concat(pairwise[pairwise["pair"] == pair] for pair in ("d(G, S)", "d(G, M)"))
at_end = pairwise[pairwise["row"] == settings.task.context_length].drop(columns=["mean", "sem"])
at_end = at_end.rename(columns={"mean_to": "mean", "sem_to": "sem"})
alt = (
    "Two maps of distances, colours across and urns in the pool down: d(G, S) and d(G, M), both falling with the urns."
)
options = {"by": "pair", "size": (5.0, 3.6), "n": f"{n_pools} pools a cell, 16 sequences each"}
figure(chapter_plots.discrimination, at_end, alt=alt, **options)

# %% tags=["hide-input"]
between = at_end[at_end["pair"] == "d(G, S)"].set_index(["n_colors", "n_tasks"])
to_m = at_end[at_end["pair"] == "d(G, M)"].set_index(["n_colors", "n_tasks"])["mean"]
best = between["mean"].idxmax()
furthest = intervals.format_with_error(*between.loc[best, ["mean", "sem"]])
close = between[between["mean"] + 2 * between["sem"] > between["mean"].max()].index.drop(best)
cells = ", ".join(f"V = {n_colors}, D = {n_tasks}" for n_colors, n_tasks in close)
few, many, other = between["mean"].xs(1, level=1), between["mean"].xs(16, level=1), to_m.xs(16, level=1)
display(
    Markdown(
        f"The largest d(G, S) is {furthest} nats at V = {best[0]}, D = {best[1]} (n = {n_pools} pools); within two "
        f"errors of it: {cells or 'no other'}. Over these V it is {few.min():.3f} to {few.max():.3f} at D = 1, "
        f"{many.min():.4f} to {many.max():.4f} at D = 16, and there d(G, M) is {other.min():.3f} to {other.max():.2f}. "
        "What a lexical model becomes, only small pools can settle."
    )
)

# %% [markdown]
# And how long should sequences be? The mean distance up to a context length $C$, for one urn in the pool, with two
# standard errors. S may change its mind about the names, but never about the proportions, while G moves to the
# frequencies: on average, expect the distance to grow with what has been seen.

# %% tags=["hide-input"]
alt = "d(G, S) and d(G, M) up to a context length, for one urn in the pool, a line for 2, 4 and 8 colours."
options = {"by": "pair", "legend": "D = 1", "n": f"{n_pools} pools, 16 sequences each"}
few = pairwise[(pairwise["n_tasks"] == 1) & pairwise["n_colors"].isin([2, 4, 8])]
figure(chapter_plots.distances_by_context, few, alt=alt, **options)

# %% [markdown]
# A single pool says little. The standard deviation *over pools* is what an experiment with one training urn is off by:

# %% tags=["hide-input"]
table = between.xs(1, level="n_tasks")
table = table.assign(sd=table["sem"] * n_pools**0.5)[["mean", "sem", "sd"]]
show_table(table.rename(columns={"sd": "standard deviation over pools"}))

# %% [markdown]
# ## Distances from the truth
#
# The same predictors against the true urn: KL(urn ‖ predictor), mean over rows 0 … C − 1, ± one standard error over
# pools, for $\alpha = 1$. G is as good in as out of distribution. What M must expect from fresh urns is, for D = 1,
# exactly $1 - 1/V$.

# %% tags=["hide-input"]
cells = [(4, 64, 1, 24), (4, 64, 4, 24), (8, 128, 1, 16), (8, 128, 16, 6)]  # V, C, D, sequences per pool
exact = cache.table(discrimination.kl_grid, cells, n_pools, seed)
exact["KL"] = [intervals.format_with_error(*pair) for pair in exact[["mean", "sem"]].values]
columns = {"n_colors": "V", "context_length": "C", "n_tasks": "D"}
exact.rename(columns=columns).pivot(index=["V", "C", "D"], columns=["split", "reference"], values="KL")

# %% tags=["hide-input"]
alone = exact[(exact["n_tasks"] == 1) & (exact["split"] == "out_of_distribution")].set_index(["n_colors", "reference"])
lines = []
for v in (4, 8):
    mean, sem = alone.loc[(v, "memorizing"), ["mean", "sem"]]
    off = abs(mean - (1 - 1 / v)) / sem
    ours = intervals.format_with_error(mean, sem)
    lines.append(f"V = {v}: {ours} against {1 - 1 / v}, {off:.1f} standard errors off")
display(Markdown(f"M out of distribution at D = 1 (n = {n_pools} pools): " + "; ".join(lines) + "."))

# %% [markdown]
# What these figures should be was written down beforehand, with bands for 100 pools (`params/claims.yaml`).

# %% tags=["hide-input"]
from lexurn.chapters.data import claim_bands
from lexurn.publish import claims

cells_of = exact.assign(cell=[f"V{v}_C{c}_D{d}" for v, c, d in exact[["n_colors", "context_length", "n_tasks"]].values])
lines = cells_of[cells_of["mean"] > 1e-12].set_index(["cell", "split", "reference"])[["mean", "sem"]]
measured = {"exact/" + "/".join(key): claims.Measurement(mean, sem, n_pools) for key, mean, sem in lines.itertuples()}
display(Markdown(claim_bands.summary(measured)))

# %% [markdown]
# ## A headline, scored without any model
#
# The experiment that this book began with reported, after 30 balls and with one training urn, KL(observed frequencies ‖
# model) of [0.54 ± 0.28 for a normal and 0.14 ± 0.11 for a lexical model](https://github.com/alexkstern/Lexurn) (commit
# 197fae0, ± over sequences), and concluded that lexical invariance makes models generalize. What do the exact
# predictors score by the same protocol?

# %% tags=["hide-input"]
urn = torch.tensor([0.4105, 0.3253, 0.0443, 0.2200], dtype=torch.float64)  # its training urn
urn /= urn.sum()
headline = discrimination.headline(
    urn, n_balls=30, n_sets=2 * n_pools, generator=generator(seed, "headline")
).set_index("reference")
headline["KL"] = [intervals.format_with_error(*pair) for pair in headline[["mean", "sem"]].values]
names = {"sd": "SD of a set", "sd_sequences": "SD over sequences", "n": "sets of 10 urns × 25"}
show_table(headline[["KL", *names]].rename(columns=names))

# %% tags=["hide-input"]
published, texts = {kind: claims.get(f"headline/{kind}").published for kind in ("normal", "lexical")}, []
for kind, score in published.items():
    off = (score - headline["mean"]) / headline["sd"]
    near = off.abs().idxmin()
    away = ", ".join(f"{off[name]:+.1f} from {name}" for name in off.index)
    texts.append(f"The published {kind} model's {score} is what **{near}** scores (in SDs of a set: {away}).")
if near == "symmetrized":
    texts.append("So the lexical model scored as one does that memorizes its urn and knows no names. It passed for one")
    texts.append("that generalizes because it was compared with M alone; here every model is compared with S as well,")
    texts.append("and the chapter on the analysis asks what such models become.")
scores = {
    f"headline/exact_{name}": claims.Measurement(mean, sem, n)
    for name, mean, sem, n in headline[["mean", "sem", "n"]].itertuples()
}
texts.append(claim_bands.summary(scores))
display(Markdown(" ".join(texts)))

# %% [markdown]
# All figures of this chapter that were published or known before, beside ours:

# %% tags=["hide-input"]
everything = claim_bands.numbers(measured | scores)
alt = "For each claim its band, the published figure, and ours with two standard errors, on a logarithmic axis of nats."
number = f"{n_pools} pools, and for the headline {headline['n'].max()} sets"
figure(chapter_plots.bands, everything, name="claims", alt=alt, n=number, size=(9.0, 7.0))

# %% [markdown]
# ## What to try next
#
# - `-p n_tasks 16`: more urns in the pool. M then has something to recognize: how soon does it know its urn?
# - `-p alpha 0.3` or `-p alpha 5`: peaked and flat urns. For which are G and S further apart?
# - `-p context_length 128`: does a longer context separate G and S further?
# - `-p n_pools 200`: the figures of this chapter to their second digit.
#
# Next: [training](02_train), where a model becomes one of them, or something in between.
