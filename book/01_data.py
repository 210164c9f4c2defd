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
# sequence comes from one of them. At evaluation there are three kinds of sequences: new ones from the pool
# (*in distribution*), ones from fresh urns (*out of distribution*), and constant ones (*low entropy*).
#
# Because the generator is known, so are the best predictions, under each idea of where the urn comes from: from
# anywhere (**G**), from the pool (**M**), or from the pool with its colours renamed (**S**). This chapter draws them,
# and finds out where they differ enough for an experiment to tell them apart.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY, TAG = "https://github.com/OWNER/lexurn", "v0.1.0"
here = [Path.cwd(), *Path.cwd().parents]
clone = next((f for f in here if (f / "_config.yml").exists() and (f / "lexurn").is_dir()), Path("/content/lexurn"))
if not clone.exists() and importlib.util.find_spec("lexurn") is None:  # neither around us nor installed
    assert "google.colab" in sys.modules, f"no lexurn here: git clone {REPOSITORY}, and run this inside the clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", TAG, REPOSITORY, clone], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", clone], check=True)  # keeps torch
sys.path.insert(0, str(clone))

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal: `papermill book/01_data.ipynb out.ipynb -p n_tasks 4`.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
# what is sampled
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
alpha: float = 1.0  # concentration of the Dirichlet prior: a number, or one per colour
context_length: int = 32  # most balls seen before a prediction
n_test_samples: int = 500  # held-out sequences per split
seed: int = 0  # the one seed that every random stream is derived from
# how much is averaged over
n_pools: int = 24  # pools that exact figures are averaged over
# where it runs
threads: int = 1  # CPU threads

# %%
from lexurn import parameters

settings = parameters.resolve("data")

# %%
# %matplotlib inline
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import discrimination, divergences, evaluation, experiment, plotting, uncertainty
from lexurn.predictors import remembered
from lexurn.seeding import generator
from lexurn.tasks import Urns

torch.set_num_threads(settings.machine.threads)
seed, n_pools, task = settings.training.seed, settings.study.n_pools, experiment.urns(settings)
pool = experiment.training_pool(settings)
splits = experiment.held_out(settings, pool)
references = remembered(experiment.references(settings, pool), splits)

# %% [markdown]
# ## Urns
#
# An urn is a point of the simplex; with three colours, of a triangle whose corners are urns of one colour. The
# concentration says where urns lie: below 1 near the corners (peaked urns), at 1 uniformly, above 1 near the middle
# (flat urns). Most of what follows depends on how peaked an urn is.

# %%
figure, axes = plotting.panels(3, height=2.8, width=3.0)
for concentration, ax in zip((0.3, 1.0, 5.0), axes, strict=True):
    urns = Urns(3, concentration).sample_tasks(300, generator=generator(seed, "simplex", str(concentration)))
    plotting.simplex(pd.DataFrame(urns.numpy()), ax, s=6, color="0.35", alpha=0.7)
    ax.set_title(f"α = {concentration}")

# %% [markdown]
# Here is the pool that models with these settings are trained on, or the first dozen of its urns, beside fresh ones.

# %%
fresh = task.sample_tasks(12, generator=generator(seed, "fresh urns"))
shown = {"training pool": pool, "fresh urns": fresh} if pool is not None else {"fresh urns": fresh}
figure, axes = plotting.panels(len(shown), height=3.0)
for (name, urns), ax in zip(shown.items(), axes, strict=True):
    plotting.urns(pd.DataFrame(urns[:12].numpy()), ax).set_title(name)

# %% [markdown]
# ## Sequences
#
# Six sequences of each kind, ball by ball. With a single urn in the pool, sequences in distribution all look alike, and
# their commonest colour is always the same; out of distribution every sequence has favourites of its own.

# %%
for name, tokens in splits.items():
    figure, (ax,) = plotting.panels(1, width=9.0, height=2.2)
    plotting.balls(pd.DataFrame(tokens[:6, :40].numpy()), ax).set_title(name.replace("_", " "))

# %% [markdown]
# How much is there to predict? The entropy of an urn is the loss per ball that remains even to who knows the urn, at
# most $\ln V$. The entropy of a sequence's own frequencies lies below it on average, because a short sequence looks
# more regular than its urn is: that is why guessing from few balls needs a prior.

# %%
truth = task.sample_tasks(settings.training.n_test_samples, generator=generator(seed, "entropies"))
tokens = task.sample(truth, settings.task.context_length, generator=generator(seed, "entropies", "balls"))
frequencies = torch.nn.functional.one_hot(tokens, task.n_colors).double().mean(1)
of_urns, of_sequences = (divergences.entropy(each.log()) for each in (truth, frequencies))
table = pd.concat(
    pd.DataFrame({"kind": kind, "entropy": values})
    for kind, values in (("fresh urns", of_urns), ("their sequences", of_sequences))
)
figure, (ax,) = plotting.panels(1, width=6.5)
plotting.legend(plotting.entropies(table, ax), title="entropy of")
gap = uncertainty.in_words(of_urns - of_sequences)
display(
    Markdown(f"Sequences of {tokens.shape[1]} balls fall {gap} nats short of their urns (n = {len(truth)}, paired).")
)

# %% [markdown]
# ## The exact predictors, ball by ball
#
# Each of them has seen the balls below its panel up to where the line stands. On a sequence from a *fresh* urn G starts
# from its prior and ends at the frequencies; M has only its pool to explain what it sees with, and with a single
# urn it does not move at all; S recognizes which colour plays which part, and then insists on the proportions of the
# pool under that renaming. What do you expect where the balls come from the pool?

# %%
for name in [each for each in splits if each != "low_entropy"]:
    table = evaluation.on_one_sequence(references, splits[name][:1])
    figure, axes = plotting.panels(len(references), sharey=True, width=3.4, height=2.6)
    for who, ax in zip(references, axes, strict=True):
        plotting.predictions(table, ax, who=who)
    figure.suptitle(name.replace("_", " "))

# %% [markdown]
# Which of them loses least, where? In distribution M cannot be beaten, it *is* the Bayes optimum there; on fresh urns G
# is, and M should pay for its certainty. S, which knows the urns but not the names of their colours, should come
# between.

# %%
scores = pd.concat(
    evaluation.evaluate(predictor, references, splits).assign(predictor=name) for name, predictor in references.items()
)
losses = scores[(scores["measure"] == "loss") & (scores["row"] == "mean")].drop(columns=["reference"])
losses["nats per ball"] = [uncertainty.with_error(*pair) for pair in losses[["mean", "sem"]].values]
losses.pivot(index="predictor", columns="split", values="nats per ball").loc[list(references), list(splits)]

# %%
wide = losses.pivot(index="predictor", columns="split", values="mean")[list(splits)]
ranked = {
    split.replace("_", " "): " < ".join(f"**{name}**" for name in wide[split].sort_values().index) for split in wide
}
display(
    Markdown(
        "Loss per ball, ± one standard error over sequences: "
        + "; ".join(f"{split}, **{order}**" for split, order in ranked.items())
        + ". A model can be anywhere between these predictors; its *distances* to them say where."
    )
)

# %% [markdown]
# ## Where can an experiment tell them apart?
#
# If G and S predict nearly the same, no experiment can say which of them a model became. Here is the distance between
# them out of distribution (symmetrized KL, mean over rows 1 … C, ± one standard error over pools), for urns with
# $\alpha = 1$. Expect it to shrink with the number of urns $D$: the more urns, the more the pool resembles the prior
# that G integrates over.

# %%
found = pd.concat(
    discrimination.apart(
        Urns(n_colors),
        context_length=settings.task.context_length,
        n_tasks=n_tasks,
        n_pools=n_pools,
        n_sequences=16,
        seed=seed,
    )
    for n_colors in (2, 3, 4, 5, 6, 8)
    for n_tasks in (1, 2, 4, 16)
)

# %%
at_end = found[found["row"] == settings.task.context_length].drop(columns=["mean", "sem"])
at_end = at_end.rename(columns={"mean_to": "mean", "sem_to": "sem"})
figure, axes = plotting.panels(2, width=5.0, height=3.6)
for pair, ax in zip(("generalizing – symmetrized", "generalizing – memorizing"), axes, strict=True):
    plotting.discrimination(at_end[at_end["pair"] == pair], ax).set_title(pair)

# %%
between = at_end[at_end["pair"] == "generalizing – symmetrized"].set_index(["n_colors", "n_tasks"])
best = between["mean"].idxmax()
furthest = uncertainty.with_error(*between.loc[best, ["mean", "sem"]])
few, many = (between.xs(n_tasks, level="n_tasks")["mean"] for n_tasks in (1, 16))
display(
    Markdown(
        f"G and S are furthest apart for V = {best[0]}, D = {best[1]}: {furthest} nats (n = {n_pools} pools). Over "
        f"these V it is {few.min():.3f} to {few.max():.3f} at D = 1 and {many.min():.4f} to {many.max():.4f} at D = "
        f"16: {'there S is all but G, and' if many.max() < 0.01 else 'even so,'} only small pools can settle what a "
        "lexical model becomes. G and M stay apart much longer: a normal model can have a larger one."
    )
)

# %% [markdown]
# And how long should sequences be? The distance up to a context length $C$, for one urn in the pool, with two standard
# errors. Both predictors begin at the same uniform guess. G moves to the frequencies; S recognizes its urn, under some
# renaming, and does not leave it again, however badly it fits: expect no turning back.

# %%
figure, axes = plotting.panels(2)
for pair, ax in zip(("generalizing – symmetrized", "generalizing – memorizing"), axes, strict=True):
    table = found[(found["pair"] == pair) & (found["n_tasks"] == 1) & found["n_colors"].isin([2, 4, 8])]
    plotting.distances_by_context(table, ax).set_title(pair)
_ = plotting.legend(axes[-1], title="D = 1")

# %% [markdown]
# A single pool says little. The standard deviation *over pools* is what an experiment with one training urn is off by:

# %%
table = between.xs(1, level="n_tasks")
table = table.assign(sd=table["sem"] * n_pools**0.5)[["mean", "sem", "sd"]]
table.rename(columns={"sd": "standard deviation over pools"}).round(4)

# %% [markdown]
# ## Distances from the truth
#
# The same predictors against the true urn: KL(urn ‖ predictor), mean over rows 0 … C − 1, ± one standard error over
# pools. G is as good in as out of distribution; M's loss on one fresh urn after another is, for D = 1 and $\alpha = 1$,
# exactly $1 - 1/V$.

# %%
cells = [(4, 64, 1, 24), (4, 64, 4, 24), (8, 128, 1, 16), (8, 128, 16, 6)]  # V, C, D, sequences per pool
exact = pd.concat(
    discrimination.against_truth(
        Urns(v), context_length=c, n_tasks=d, n_pools=n_pools, n_sequences=n_sequences, seed=seed
    )
    for v, c, d, n_sequences in cells
)
exact["KL"] = [uncertainty.with_error(*pair) for pair in exact[["mean", "sem"]].values]
columns = {"n_colors": "V", "context_length": "C", "n_tasks": "D"}
exact.rename(columns=columns).pivot(index=["V", "C", "D"], columns=["split", "reference"], values="KL")

# %%
alone = exact[(exact["n_tasks"] == 1) & (exact["split"] == "out_of_distribution")].set_index(["n_colors", "reference"])
lines = []
for v in (4, 8):
    mean, sem = alone.loc[(v, "memorizing"), ["mean", "sem"]]
    off = abs(mean - (1 - 1 / v)) / sem
    lines.append(f"V = {v}: {uncertainty.with_error(mean, sem)} against {1 - 1 / v}, {off:.1f} standard errors off")
display(Markdown(f"M out of distribution at D = 1 (n = {n_pools} pools): " + "; ".join(lines) + "."))

# %% [markdown]
# ## A headline, scored without any model
#
# The experiment that this book began with reported, after 30 balls and with one training urn, KL(observed frequencies ‖
# model) of 0.54 ± 0.28 for a normal and 0.14 ± 0.11 for a lexical model (± over sequences), and concluded that lexical
# invariance makes models generalize. What do the exact predictors score by the same protocol?

# %%
urn = torch.tensor([0.4105, 0.3253, 0.0443, 0.2200], dtype=torch.float64)  # its training urn
urn /= urn.sum()
headline = discrimination.headline(
    urn, n_balls=30, n_urns=40 * n_pools, n_sequences=2, generator=generator(seed, "headline")
).set_index("reference")
headline["KL"] = [uncertainty.with_error(*pair) for pair in headline[["mean", "sem"]].values]
headline[["KL", "sd", "n"]].rename(columns={"sd": "SD over sequences", "n": "fresh urns"}).round(3)

# %%
lexical = 0.14  # the published figure
near = (headline["mean"] - lexical).abs().idxmin()
off = (headline["mean"] - lexical).abs() / headline["sd"]
text = "With so few urns the protocol's noise is larger than what it should show; raise `n_pools`."
if near == "symmetrized":
    text = (
        "A perfect memorizer that knows no names would have scored the same: by this protocol, generalizing cannot be "
        "told from memorizing up to renaming. That is why this book measures every lexical model against S as well."
    )
scale = f"{off['symmetrized']:.1f} standard deviations of single sequences from S, {off['generalizing']:.1f} from G"
display(Markdown(f"The lexical model's published figure is nearest to the **{near}** predictor: {scale}. {text}"))

# %% [markdown]
# ## What to try next
#
# - `-p n_tasks 16`: more urns in the pool. How do M and S move on a fresh sequence now?
# - `-p alpha 0.3` or `-p alpha 5`: peaked and flat urns. Which are easier to tell from their renamings?
# - `-p context_length 128`: does a longer context separate G and S further?
# - `-p n_pools 200`: the figures of this chapter to their second digit.
#
# Next: [training](02_train), where a model becomes one of them, or something in between.
