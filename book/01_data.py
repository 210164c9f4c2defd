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
# # Data: what could a network learn from coloured balls?
#
# [The first page](index) asks which of three students a network becomes. Before we train one, we ask what there is to
# learn. The data are so simple that you can calculate the best possible predictions with a pencil.
#
# After this chapter you can calculate what each student expects, say which student is the best that a given network can
# become, and judge which students a score can distinguish.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.2.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

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

from lexurn import brief, evaluation, explorable, figure, set_threads, tasks
from lexurn import table as show_table
from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.wording import format_with_error, percent
from lexurn.chapters.data import claim_bands, discrimination, students, tables
from lexurn.chapters.data import plots as chapter_plots
from lexurn.figures import explorables, plots, triangle
from lexurn.figures.figure_card import card
from lexurn.generators.urns import Urns
from lexurn.measures import intervals, plane

# %% tags=["hide-input"]
from lexurn.predictors import Generalizing, Memorizing, Symmetrized
from lexurn.publish import claims
from lexurn.runs import cache

set_threads(settings.machine.threads)
chapter_seed, n_drawn = settings.training.seed, settings.study.n_pools
data = tasks.build(settings)
splits, references = data.held_out(), data.references()
is_published = n_drawn >= 100 and not settings.changed().keys() - {"n_pools", "threads"}

# %% tags=["hide-input"]
concentration = settings.task.alpha if isinstance(settings.task.alpha, float) else 1.0
colors, sizes, length = [2, 3, 4, 5, 6, 8], [1, 2, 4, 16], settings.task.context_length
pairwise = cache.table(discrimination.pairwise_grid, colors, sizes, concentration, length, n_drawn, chapter_seed)
at_end = pairwise[pairwise["row"] == length].drop(columns=["mean", "sem"])
at_end = at_end.rename(columns={"mean_to": "mean", "sem_to": "sem"})
apart = at_end.set_index(["pair", "n_colors", "n_tasks"])

# %% tags=["hide-input"]
urn_of_original = torch.tensor([0.4105, 0.3253, 0.0443, 0.2200], dtype=torch.float64)
urn_of_original /= urn_of_original.sum()
headline = discrimination.headline(
    urn_of_original, n_balls=30, n_sets=2 * n_drawn, generator=generator(chapter_seed, "headline")
).set_index("reference")
published = {kind: claims.get(f"headline/{kind}").published for kind in ("normal", "lexical")}

# %% tags=["hide-input"]
urn = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)  # red, blue, green
balls = torch.tensor([[1, 1, 0, 1, 2, 0]])  # blue, blue, red, blue, green; the last is not seen
three = {"generalizing": Generalizing(3), "memorizing": Memorizing(urn), "symmetrized": Symmetrized(urn)}
blue = {name: rule(balls)[0, :, 1].exp().tolist() for name, rule in three.items()}
assert abs(blue["generalizing"][5] - 0.5) < 1e-12 and abs(blue["memorizing"][5] - 0.2) < 1e-12

# %% tags=["hide-input"]
of_s, few, many = headline.loc["symmetrized", "mean"], apart.loc[("d(G, S)", 4, 1)], apart.loc[("d(G, S)", 4, 16)]
spread = headline[["mean", "sd"]].itertuples()
numbers = {f"exact_score_{name[0]}": format_with_error(score, sd) for name, score, sd in spread}
numbers |= {f"published_{kind}": f"{score:g}" for kind, score in published.items()}
g, m, s = (percent(values[5]) for values in blue.values())
findings = [
    f"If the urn is 70 % red and 20 % blue, after blue, blue, red, blue, green, G expects blue with {g}, "
    f"M with {m}, S with {s}.",
    f"G and S are alike with many training urns: on fresh urns {few['mean']:.3g} nats apart with one, "
    f"{many['mean']:.3g} with 16 ({n_drawn} pools).",
    f"A network with a score of {published['lexical']:g} was said to generalize; for its urn, S scores {of_s:.2g} ± "
    f"{headline.loc['symmetrized', 'sd']:.1g} (standard deviation).",
]

# %% tags=["hide-input"]
brief(
    question="Which predictions of the next ball are best, and can an experiment tell which a network learned?",
    done="We compute three predictors: G counts, M remembers the training urns, S remembers them but not which "
    "colour is which.",
    found=findings,
    sure="The predictors are exact; the score is for one urn.",
    change="An error in a formula.",
    numbers=numbers if is_published else None,
)

# %% [markdown]
# ## Why should names not matter?
#
# In a text whose letters have been exchanged by a secret rule, you do not know at first what the letter *q* stands for.
# Yet you can find out: the most frequent letter is probably *e*, and a letter that stands alone is probably *a*. The
# same skill helps with a variable name in a program, with a word that somebody has just made up, or with an alphabet
# that you have never seen. All that you know about a language still helps; what you know about the *names* does not.
#
# An ordinary language model stores facts about each token in the token's embedding. Huang and others
# {cite}`huang2023lexinvariant` took this away. They drew a new random embedding for every token in every sequence, so
# that the weights cannot store anything about a particular token. A model is **lexically invariant** (they say
# *lexinvariant*) if its predictions do not change, up to the names, when tokens are renamed. Given enough context,
# their models came close to ordinary ones. Such a model could also decipher a text in a substitution cipher.
#
# What does a network learn if names are taken away? Does it learn rules that hold for any text, or does it still
# memorize its training data, only without the names? For real text, the best predictor is unknown. So we generate
# the data ourselves.
#
# ## Urns and sequences
#
# An **urn** holds balls of $V$ colours in proportions $\theta_1, \dots, \theta_V$. A **sequence** consists of balls
# drawn from one urn with replacement, so their order carries no information. The network sees the first $t$ balls and
# predicts the next one, for $t = 0$ to the context length $C$. Nothing tells it that urns exist.
#
# A {term}`pool` of $D$ training urns is drawn once, from a Dirichlet distribution with concentration $\alpha$. For
# $\alpha = 1$ all proportions are equally likely. Smaller values make peaked urns more frequent, larger values flat
# ones. Every training sequence comes from an urn of the pool. A new sequence from the pool is {term}`in distribution`.
# A sequence from a *fresh urn*, drawn anew from the same Dirichlet distribution, is {term}`out of distribution`.

# %% tags=["hide-input"]
names = {"in_distribution": "new sequences from the pool", "out_of_distribution": "fresh urns, one per sequence"}
shown = {title: tables.from_matrix(splits[name][:6, :24]) for name, title in names.items() if name in splits}
drawn = pd.concat(table.assign(source=title) for title, table in shown.items())
figure(
    chapter_plots.balls,
    drawn,
    name="sequences",
    by="source",
    size=(4.6, 2.2),
    n="6 sequences of each kind",
    caption=f"Sequences from the pool (here D = {settings.task.n_tasks}) look alike; every fresh urn has favourites "
    "of its own. Each line of balls is a sequence, each number a colour.",
    alt="Sequences as rows of balls, each with the number of its colour: from the training pool, and from fresh urns.",
)

# %% [markdown]
# ## Three perfect students
#
# What are the best predictions? {cite:t}`wurgaft2025strategies` distinguish a memorizing and a generalizing predictor
# by their Bayesian priors. We add a third predictor, for lexically invariant networks.
#
# Suppose that there is a single training urn, with 70 % red, 20 % blue and 10 % green balls. In an exam, a sequence
# begins *blue, blue, red, blue, green*. What comes next? Three students have prepared for it, each in another way.
#
# ### G has learned to count
#
# G, the {term}`generalizing predictor`, knows nothing about the training urn. It only knows that every urn is possible,
# and learns from the balls. Write $n_v$ for how often colour $v$ was seen among the $t$ balls so far. Before the balls,
# the density of the urn $\theta$ is proportional to $\prod_v \theta_v^{\alpha - 1}$. By Bayes' rule, after them it is
# proportional to $\prod_v \theta_v^{n_v + \alpha - 1}$. This is a Dirichlet distribution again, and G expects its mean:
#
# $$ p_G(v) = \frac{n_v + \alpha}{t + V\alpha}. $$ (generalizing)
#
# So G adds $\alpha$ to every count, as if it had seen $\alpha$ balls of every colour already. In the example, blue was
# seen three times in five balls, and with $\alpha = 1$, $p_G(\text{blue}) = (3 + 1) / (5 + 3) = 1/2$. In code:

# %%
from lexurn.predictors.counting import prefix_counts

balls = torch.tensor([[1, 1, 0, 1, 2, 0]])  # 0 red, 1 blue, 2 green; last not seen
counts = prefix_counts(balls, 3)  # sequence, balls seen, colour
G = (counts + 1) / (counts + 1).sum(-1, keepdim=True)

# %% [markdown]
# ### M has learned the urns by heart
#
# M, the {term}`memorizing predictor`, knows that the sequence comes from one of the $D$ urns $\theta_1, \dots,
# \theta_D$ of the pool. It has to find out from which, and weighs each urn by how likely this urn makes the balls. (The
# sign $\propto$ means that the weights are divided by their sum.)
#
# $$ p_M(v) = \sum_d w_d \, \theta_{dv}, \qquad w_d \propto \prod_i \theta_{di}^{\,n_i}. $$ (memorizing)
#
# With a single urn there is nothing to find out: M says $p_M(\text{blue}) = 0.2$ before the first ball, and after three
# blue ones too, because it considers no other urn possible. Now add a second urn to the pool, say 10 % red, 60 % blue
# and 30 % green. One blue ball has probability $0.2$ under the first urn and $0.6$ under the second. So after one blue
# ball, M gives the urns the weights $0.2 / 0.8 = 1/4$ and $0.6 / 0.8 = 3/4$. It expects blue with
# $\frac{1}{4} \cdot 0.2 + \frac{3}{4} \cdot 0.6 = 0.5$.

# %%
urns = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)  # an urn per row
log_likelihood = torch.xlogy(counts[:, :, None], urns).sum(-1)  # sequence, seen, urn
M = log_likelihood.softmax(-1) @ urns

# %% [markdown]
# ### S has learned the urns by heart, without the names
#
# S, the {term}`symmetrized predictor`, knows that *some* colour has 70 %, *some* colour 20 % and *some* colour 10 %. It
# does not know which. There are $3! = 6$ possibilities, the **renamings** of the urn, all equally likely at first. S
# treats them as M treats the urns of its pool: it weighs each by how likely it makes the balls.
#
# In the example, $n_{\text{red}} = 1$, $n_{\text{blue}} = 3$ and $n_{\text{green}} = 1$. If the urn is 20 % red, 70 %
# blue and 10 % green, the balls have probability $0.2 \cdot 0.7^3 \cdot 0.1 = 0.00686$. Here is the whole
# calculation:

# %% tags=["hide-input"]
example = students.renamings(urn, {0: 1, 1: 3, 2: 1}, color=1)
total = {"urn": "sum", "likelihood": example["likelihood"].sum(), "weight": 1.0, "share": float("nan")}
written = pd.concat([example, pd.DataFrame([total | {"product": example["product"].sum()}])])
written = pd.DataFrame({
    "urn": written["urn"],
    "likelihood": [f"{value:.5f}" for value in written["likelihood"]],
    "weight": [f"{value:.3f}" for value in written["weight"]],
    "share": ["" if share != share else f"{share:.1f}" for share in written["share"]],
    "product": [f"{value:.3f}" for value in written["product"]],
})

# %% tags=["hide-input"]
columns = {"urn": "if the urn is", "likelihood": "the balls have probability", "weight": "so its weight is",
           "share": "share of blue", "product": "weight · share"}
caption = "S expects blue with the sum of the last column. Two renamings, in which blue is common, have most weight."
assert abs(example["product"].sum() - blue["symmetrized"][5]) < 1e-12 and example["weight"].nlargest(2).sum() > 0.9
show_table(written, columns, name="worked_example", caption=caption)

# %% [markdown]
# As a formula, with $D$ urns: a renaming $\pi$ of urn $d$ gives colour $i$ the share of colour $\pi(i)$, which is
# $\theta_{d,\pi(i)}$. (In the third row of the table, red gets blue's 20 % and blue gets red's 70 %.) All $D \cdot V!$
# renamed urns are equally likely at first, and
#
# $$ \begin{gathered}
# p_S(v) = \sum_d \sum_\pi w_{d\pi} \, \theta_{d,\pi(v)}, \\
# w_{d\pi} \propto \prod_i \theta_{d,\pi(i)}^{\,n_i}.
# \end{gathered} $$ (symmetrized)
#

# %%
from itertools import permutations

orders = list(permutations(range(3)))
renamed = urns[:, orders].flatten(0, 1)  # every renaming of every urn
S = torch.xlogy(counts[:, :, None], renamed).sum(-1).softmax(-1) @ renamed

# %% tags=["hide-input"]
for ours, rule in zip((G, M, S), three.values(), strict=True):
    assert torch.allclose(ours, rule(balls).exp(), atol=1e-12)
after = {"seen": ["nothing", "blue", "blue, blue, red, blue, green"]}
after |= {name: [values[row] for row in (0, 1, 5)] for name, values in blue.items()}
columns = {"seen": "balls seen", "generalizing": "G", "memorizing": "M", "symmetrized": "S"}
caption = "Before the first ball, S knows as little as G. One blue ball makes blue likely to be the common colour."
assert abs(blue["symmetrized"][0] - 1 / 3) < 1e-12 and abs(blue["symmetrized"][1] - 0.54) < 1e-12
show_table(pd.DataFrame(after), columns, name="blue", caption=f"Probability of blue. {caption}")

# %% [markdown]
# Check the second row by hand. After one blue ball, each renaming has a weight proportional to its share of blue, so
# $p_S(\text{blue}) = (0.7^2 + 0.7^2 + 0.2^2 + 0.2^2 + 0.1^2 + 0.1^2) / 2 = 0.54$. The denominator is the sum of the
# six shares. (Here S gives blue more than G does. If the urn were 50 % red, 30 % blue and 20 % green, S would give
# blue only $0.38$, and G still $0.5$: the flatter the urn, the less one ball tells.)
#
# What happens when more balls come? Suppose that the exam goes on and blue really is the common colour. G should move
# slowly to the frequencies, S quickly to 70 %, and M not at all.

# %% tags=["hide-input"]
longer = Urns(3).sample(urn[:, [1, 0, 2]], 30, generator=generator(1, "exam"))
longer[0, :5] = balls[0, :5]
table = evaluation.predict_sequence(three, longer)
lines = table[table["color"] == 1][["predictor", "row", "probability", "ball"]]
alt = "The probability of blue by G, M and S against the balls seen, in a sequence with mostly blue balls."
caption = (
    "S recognizes the renamed urn after a few balls, G approaches the frequencies, and M never moves. Each ball below "
    "stands under the prediction made before it was drawn."
)
options = {"legend": "student", "size": (5.4, 3.2)}
words = {"alt": alt, "caption": caption, "n": "1 sequence"}
figure(chapter_plots.probability_of_color, lines, name="exam", **options, **words)

# %% [markdown]
# Now it is your turn. The urn below is the training urn, and the balls are those of the example. The fourth student in
# the table, $B_\varepsilon$, is introduced after it. Rename the colours, and expect that the probabilities of G and S
# move with the names, while those of M do not. Then draw balls of your choice: when does S recognize the urn?

# %% tags=["hide-input"]
shown = table[table["row"] <= 5]
last = shown[shown["row"] == 5].set_index(["predictor", "color"])["probability"]
said = "; ".join(f"{name} {' '.join(f'{p:.2f}' for p in last[name])}" for name in three)
caption = (
    "Rename the colours: G and S follow the names, and M predicts something else. The bars are the probabilities of "
    "the next ball, here after blue, blue, red, blue, green."
)
alt = f"Probabilities of red, blue and green after five balls, as bars: {said}."
words = {"alt": alt, "caption": caption, "n": "1 sequence"}
picture = card(chapter_plots.predictions_after, shown, row=5, name="urn", size=(6.0, 2.8), **words)

# %% tags=["hide-input"]
entities = {name: name for name in (*students.COLORS, *three)} | {"doubting": "uniform"}
for name, rule in three.items():
    follows = torch.allclose(rule((balls + 1) % 3).roll(-1, -1), rule(balls))
    assert follows == (name != "memorizing")
start = {"colors": students.COLORS, "urns": urn.tolist(), "balls": balls[0, :5].tolist()}
alt = "Draw balls from an urn, rename the colours, and see what G, M, S and a student who doubts expect next."
explorable("urn", start | {"epsilon": 0.01, "seed": 1, "looks": explorables.looks(entities)}, fallback=picture, alt=alt)

# %% [markdown]
# So each student is the best one for a different exam. If the sequence comes from the training urn and the colours keep
# their names, no predictor is better than M. On average over fresh urns, none is better than G. On average over all
# renamings of the training urn, none is better than S. A lexically invariant network sees only which balls have equal
# colours. So the best that it can become on its training data is S. With one training urn, S differs from M unless all
# colours are equally frequent.
#
# ### The student who doubts
#
# There are students in between. Suppose that a fourth one has memorized as S has, but also thinks it possible, with a
# small probability $\varepsilon$, that the whole sequence comes from a fresh urn. The balls decide:
#
# $$ B_\varepsilon(\text{balls}) = (1 - \varepsilon)\, p_S(\text{balls}) + \varepsilon\, p_G(\text{balls}), $$ (doubt)
#
# where $p_S(\text{balls})$ is the probability that S gives to the whole sequence: the product of its predictions, ball
# after ball. For the five balls, G and S give nearly the same, $0.00238$ and $0.00252$. (The number of S is the sum in
# the table, $0.01512$, times $1/6$ for each renaming.) The next ball has the probability
# $B_\varepsilon(\text{balls and next}) / B_\varepsilon(\text{balls})$. While the balls look like the
# training urn, this student predicts as S does. When they are too improbable for the training urn under every renaming,
# the student turns to G.

# %% tags=["hide-input"]
epsilon = 0.01
mixed = torch.tensor([[1, 0] * 20 + [0]])
fresh = {name: students.probability_of_fresh_urn(three, epsilon, tokens)[0] for name, tokens in
         {"example": balls, "mixed": mixed}.items()}
turned = int((fresh["mixed"] > 0.5).nonzero()[0])
assert fresh["example"][5] < 0.02 and 10 <= turned <= 40
display(
    Markdown(
        f"For example, let ε = {epsilon:g}. After the five balls of the example, this student gives a fresh urn the "
        f"probability {percent(fresh['example'][5].item())}. If blue and red alternate, no renaming fits, and after "
        f"{turned} balls a fresh urn has a probability of more than one half."
    )
)

# %% [markdown]
# ## A map of predictors
#
# A network will not be exactly one of these. So we measure how far it is from each. The *Kullback–Leibler divergence*
# $\mathrm{KL}(p \| q) = \sum_v p(v) \ln (p(v) / q(v))$ compares losses. If $p$ is the truth, the loss $-\ln q$ of a
# predictor is on average $\mathrm{KL}(p \| q)$ larger than the loss of $p$ itself. Its unit is the nat. The
# {term}`distance` $d(p, q) = \frac{1}{2} \mathrm{KL}(p \| q) + \frac{1}{2} \mathrm{KL}(q \| p)$ is the mean of both
# directions, averaged over all $t \geq 1$ and over sequences.
#
# If $p$ and $q$ differ little, $d$ grows with the square of the difference, much as a squared length does. So we draw
# a map on which the *square* of the length between two corners is their distance. The three distances of another
# predictor place it somewhere above this map. We draw its projection, the point of the map straight below it. How high
# it lies above the map is not shown. (Heights and places are approximate, because $d$ is only nearly a squared length:
# [formula](api_measures).)

# %% tags=["hide-input"]
doubts = (0.0001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99)
if set(references) >= set(plane.CORNERS):
    fresh_urns = splits["out_of_distribution"]
    path = pd.DataFrame([
        plane.distances(students.with_doubt(references, epsilon), references, fresh_urns)
        | {"mark": f"ε = {epsilon:g}" if epsilon in (0.1, 0.5, 0.9) else ""}
        for epsilon in doubts
    ])
    mapped = plane.draw_map(plane.corners(references, fresh_urns), {"S with doubt": path})
    alt = "A triangle with the corners G, M and S, and a path of predictors with more and more doubt from S to G."
    caption = (
        "For this pool, M is far from both G and S on fresh urns. A student with more and more doubt moves from S to "
        "G: the points are students with ε from 0.0001 to 0.99."
    )
    words = {"alt": alt, "caption": caption, "n": f"1 pool, {len(fresh_urns)} fresh urns"}
    figure(triangle.triangle, mapped, name="map", legend="", size=(6.4, 3.0), **words)

# %% [markdown]
# [Chapter 2](02_train) follows a network on this map during its training. The side from G to S is short. Is it long
# enough for an experiment?
#
# ## Where can an experiment distinguish them?
#
# The more urns a pool has, the more of all possible urns it covers. For S, fewer urns suffice, because each counts in
# all its renamings: 16 urns of four colours have $16 \cdot 4! = 384$ renamings. So with many urns, knowing the pool is
# of little use if the names are unknown. Expect $d(G, S)$ to fall with the number of urns, and faster than $d(G, M)$.

# %% tags=["hide-input"]
shown = at_end[at_end["pair"].isin(["d(G, S)", "d(G, M)"]) & at_end["n_colors"].isin([2, 4, 8])]
shown = shown.assign(who="V = " + shown["n_colors"].astype(str))[["pair", "who", "n_tasks", "mean", "sem"]]
alt = "d(G, M) and d(G, S) on fresh urns against the number of urns in the pool, for 2, 4 and 8 colours."
caption = "On average over pools, S becomes like G as the pool grows. The two differ most if there is one training urn."
options = {"x": "n_tasks", "log": ["n_tasks", "distance"], "by": "pair", "share_y": True, "legend": "colours"}
words = {"alt": alt, "caption": caption, "n": f"{n_drawn} pools per point, 16 sequences each"}
shown = shown.rename(columns={"mean": "distance"})
figure(plots.curves, shown, y="distance", name="discrimination", **options, **words)

# %% tags=["hide-input"]
ratio = {(pair, v): students.ratio_of_means(apart.loc[(pair, v, 1)], apart.loc[(pair, v, 16)])
         for pair in ("d(G, S)", "d(G, M)") for v in (2, 4, 8)}
shown = {key: f"{value:.2g} ± {float(f'{error:.1g}'):g}" for key, (value, error) in ratio.items()}
factors = pd.DataFrame([{"V": v} | {pair: shown[pair, v] for pair in ("d(G, S)", "d(G, M)")} for v in (2, 4, 8)])
caption = "From 1 to 16 training urns, d(G, S) falls by a larger factor than d(G, M) with four and eight colours. With "
caption += f"two colours we see no such difference. Factors ± one standard error, {n_drawn} pools per mean."
show_table(factors, {"V": "colours"} | {pair: pair for pair in factors.columns[1:]}, name="factors", caption=caption)

# %% tags=["hide-input"]
sd = few["sem"] * n_drawn**0.5
if is_published:
    assert all(ratio["d(G, S)", v][0] > 1.5 * ratio["d(G, M)", v][0] for v in (4, 8)) and sd > 0.5 * few["mean"]
    (of_pair, error), (other, other_error) = (ratio[pair, 2] for pair in ("d(G, S)", "d(G, M)"))
    assert abs(of_pair - other) < 2 * (error**2 + other_error**2) ** 0.5
display(
    Markdown(
        "So chapters 3 to 5, which ask whether models are like G or like S, train on one urn. But single urns differ: "
        f"with four colours, *d*(G, S) is {few['mean']:.3g} nats on average, with a standard deviation over urns of "
        f"{sd:.2g}. What one training urn shows need not hold for another, so these chapters use several."
    )
)

# %% [markdown]
# ## A score that misleads
#
# One of the experiments that this book examines ([chapter 11](11_originals)) trained a {term}`normal model` and a
# {term}`lexical model` on a single urn of four colours. Its score is $\mathrm{KL}(\text{frequencies of 30 balls} \,\|\,
# \text{prediction})$, on fresh urns. [The normal model scored 0.54 and the lexical one
# 0.14](https://github.com/alexkstern/Lexurn) (commit 197fae0). The conclusion was: "Lexical invariance dramatically
# improves generalization". (Three weeks later, in commit 2df94c0, the author replaced the experiment by another one and
# removed this result.) What do the perfect students score?

# %% tags=["hide-input"]
rows = {"G, counts": "generalizing", "S, memorizes without names": "symmetrized", "M, memorizes": "memorizing"}
scores = headline.loc[[*rows.values()], ["mean", "sem", "sd"]].assign(who=[*rows])
scores["score"] = list(zip(scores["mean"], scores["sem"], strict=True))
columns = {"who": "student", "score": "published score (nats)", "sd": "SD of a set of ten urns"}
caption = "By this score (less is better), S is nearer to G than to M, although S and M have memorized the same urn."
assert headline["mean"]["symmetrized"] - headline["mean"]["generalizing"] < 0.5 * headline["mean"]["memorizing"]
caption += f" Training urn 41 %, 33 %, 4 %, 22 %; ± and SD are over {headline['n'].max()} sets of ten fresh urns."
show_table(scores, columns, name="scores", caption=caption)

# %% tags=["hide-input"]
off = (published["lexical"] - headline["mean"]) / headline["sd"]
if is_published:
    assert abs(off["symmetrized"]) < 1 < 3 < min(abs(off["generalizing"]), abs(off["memorizing"]))
display(
    Markdown(
        f"So a low score does not show that a model counts. The {published['lexical']:g} of the lexical model lies far "
        f"above the score of G, and only {abs(off['symmetrized']):.2g} standard deviations from the score of S, which "
        "has memorized everything but the names. A comparison of two networks cannot reveal this. It does not follow "
        "that the lexical model was S: a model that neither counts well nor has memorized its urn can have the same "
        "score. And this is one training urn. [Chapter 4](04_analysis) takes twelve others, and finds out what such "
        "models become."
    )
)

# %% [markdown]
# :::{admonition} Details and controls
# :class: dropdown
#
# - Row $t$ of a prediction has seen $t$ balls. Row 0 has seen nothing; distances leave it out.
# - S is exact for up to 14 colours. Its sums over renamings are permanents of a matrix. We compute them by sums over
#   subsets of the colours (`lexurn.predictors.symmetrized`).
# - The score of the last table counts all 30 balls that a predictor has seen. The original script counted 29 of them,
#   which [chapter 11](11_originals) examines.
# - Let $\theta$ be a fresh urn, with one training urn and $\alpha = 1$. Averaged over $\theta$ and over the training
#   urn, $\mathrm{KL}(\theta \| M)$ is exactly $1 - 1/V$ nats. For the training urn of the last table, with its shares
#   unrounded, it is $0.58$ nats. M scores more there, because frequencies of 30 balls replace $\theta$.
# - The folded figure shows why G needs a prior: frequencies of a few balls look more peaked than their urn. The folded
#   table compares G, M and S with the true urns.
# :::

# %% tags=["hide-cell"]
fresh_ones = data.prior.sample_tasks(settings.training.n_test_samples, generator=generator(chapter_seed, "entropies"))
drawn = data.prior.sample(fresh_ones, length, generator=generator(chapter_seed, "entropies", "balls"))
frequencies = torch.nn.functional.one_hot(drawn, data.prior.n_colors).double().mean(1)
table = pd.concat(
    pd.DataFrame({"kind": kind, "entropy": divergences.entropy(each.log())})
    for kind, each in (("fresh urns", fresh_ones), ("their sequences", frequencies))
)
mean = table.groupby("kind")["entropy"].mean()
assert mean["their sequences"] < mean["fresh urns"]
alt = "How many urns, and how many of their sequences, have at most so much entropy: two rising curves."
caption = "On average, the balls of a short sequence have less entropy than their urn: their curve lies to the left."
options = {"legend": "entropy of", "size": (5.4, 3.2), "n": f"{len(fresh_ones)} urns with a sequence each"}
figure(chapter_plots.entropies, table, alt=alt, caption=caption, **options)

# %% tags=["hide-cell"]
cells = [(4, 64, 1, 24), (4, 64, 4, 24), (8, 128, 1, 16), (8, 128, 16, 6)]  # V, C, D, sequences per pool
exact = cache.table(discrimination.kl_grid, cells, n_drawn, chapter_seed)
exact["KL"] = [intervals.format_with_error(*pair) for pair in exact[["mean", "sem"]].values]
exact["design"] = [f"V {v}, C {c}, D {d}" for v, c, d in exact[["n_colors", "context_length", "n_tasks"]].values]
wide = exact.assign(where=exact["split"].map({"in_distribution": "pool", "out_of_distribution": "fresh"}))
wide = wide.pivot(index=["design", "where"], columns="reference", values="KL").reset_index()
columns = {"design": "design", "where": "urns", "generalizing": "G", "memorizing": "M", "symmetrized": "S"}
caption = f"M and S are better on the pool than on fresh urns, G is not. KL from the true urn in nats, {n_drawn} pools."
show_table(wide, columns, name="from_truth", caption=caption)

# %% tags=["hide-cell"]
cells_of = exact.assign(cell=[f"V{v}_C{c}_D{d}" for v, c, d in exact[["n_colors", "context_length", "n_tasks"]].values])
lines = cells_of[cells_of["mean"] > 1e-12].set_index(["cell", "split", "reference"])[["mean", "sem"]]
measured = {"exact/" + "/".join(key): claims.Measurement(mean, sem, n_drawn) for key, mean, sem in lines.itertuples()}
scores = {
    f"headline/exact_{name}": claims.Measurement(mean, sem, n)
    for name, mean, sem, n in headline[["mean", "sem", "n"]].itertuples()
}
alt = "For each check its band, the expected figure, and ours with two standard errors, on a logarithmic axis of nats."
number = f"{n_drawn} pools, and for the headline {headline['n'].max()} sets"
caption = "Our exact predictors score what an earlier program computed. This is a check of our code, and no finding."
words = {"alt": alt, "n": number, "caption": caption}
everything = claim_bands.numbers(measured | scores)
figure(chapter_plots.bands, everything, name="claims", size=(7.0, 7.0), **words)

# %% tags=["hide-cell"]
display(Markdown(claim_bands.summary(measured | scores)))

# %% [markdown]
# ## What this does not show
#
# It does not show what a network becomes, or how fast. The students know what kind of data to expect, and a network has
# to find that out too. Each student is also the best that endless training could teach, and no training is endless.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# The training urn is 70 % red, 20 % blue and 10 % green, and the first two balls are both blue. Which probability do G,
# M and S give to blue?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# G: $(2 + 1)/(2 + 3) = 0.6$. M: $0.2$. S: the weights are the squares of the shares of blue, so $p_S(\text{blue}) =
# (0.7^3 + 0.2^3 + 0.1^3) / (0.7^2 + 0.2^2 + 0.1^2) = 0.352 / 0.54 \approx 0.65$.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# The training urn is half red and half blue; green does not occur. What does S expect after one blue ball? After which
# balls does S know which colour is missing?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# S knows that some colour is missing, but not which. After one blue ball, the missing colour is red or green, so S
# gives blue $1/2$, and red and green $1/4$ each. After balls of two colours, S knows that the third one is missing.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# There is a single training urn. For which urns do S and M agree before and after any balls?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# For the urn in which all colours are equally frequent: every renaming is then the same urn. (A pool of several urns
# can also contain all renamings of its own urns; then S and M agree too.)
# :::
#
# :::{admonition} Exercise 4
# :class: exercise
# You train a network with `n_tasks = 0`: every training sequence has a fresh urn. Which student is the best that it can
# become? Does it matter whether it is lexically invariant?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# G, because no urn comes twice and there is nothing to memorize. It does not matter: G treats all colours alike, so it
# needs no names.
# :::
#
# :::{admonition} Exercise 5
# :class: exercise
# Two other networks are trained on the urn whose scores stand in the table above. One scores $0.018$, the other $0.11$.
# Which student can each of them have become? What does the score leave open?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# Only G scores near $0.018$: S and M score more by over two standard deviations. Only S scores near $0.11$. But the
# score does not show that the second network is S. Many predictors have this score, also some without any memory.
# :::

# %% tags=["remove-cell"]
twice, half = torch.tensor([[1, 1, 0]]), torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
answers = [rule(twice)[0, 2, 1].exp().item() for rule in three.values()]
assert torch.allclose(torch.tensor(answers), torch.tensor([0.6, 0.2, 0.352 / 0.54]))
after_blue, after_two = Symmetrized(half)(torch.tensor([[1, 0, 0]]))[0, 1:].exp()
assert torch.allclose(after_blue, torch.tensor([0.25, 0.5, 0.25]).double()) and after_two[2] < 1e-12
two_urns = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], dtype=torch.float64)
flat = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)
assert abs(Memorizing(two_urns)(twice)[0, 1, 1].exp() - 0.5) < 1e-9
assert abs(Symmetrized(flat)(twice)[0, 1, 1].exp() - 0.38) < 1e-9
evidence = [rule(balls)[0, :5].gather(1, balls[0, :5, None]).sum().exp().item() for rule in three.values()]
assert [round(value, 5) for value in (evidence[0], evidence[2])] == [0.00238, 0.00252]
even = torch.full((1, 3), 1 / 3, dtype=torch.float64)
all_renamed = torch.tensor([[0.7, 0.3], [0.3, 0.7]], dtype=torch.float64)
assert torch.allclose(Memorizing(all_renamed)(twice), Symmetrized(all_renamed)(twice))
assert torch.allclose(Memorizing(even)(balls), Symmetrized(even)(balls))
assert tasks.build(parameters.check({"n_tasks": 0})).optimum == "generalizing"

# %% tags=["remove-cell"]
assert abs(example["likelihood"].sum() / 6 - 0.00252) < 5e-6 and "20 % red, 70 % blue" in example["urn"][2]
of_this_urn = -(1 / 2 + 1 / 3 + 1 / 4) - urn_of_original.log().mean()  # ψ(2) − ψ(5) − mean of ln θ
assert abs(of_this_urn - 0.58) < 0.005 and (not is_published or of_this_urn < headline.loc["memorizing", "mean"])
if is_published:
    two = {score: (score - headline["mean"]).abs() / headline["sd"] for score in (0.018, 0.11)}
    assert two[0.018]["generalizing"] < 1 and two[0.018].drop("generalizing").min() > 2
    assert two[0.11]["symmetrized"] < 1 and two[0.11].drop("symmetrized").min() > 2
    assert torch.tensor(4.0).log() - mean["their sequences"] > 0.11  # uniform; mixed with G, all scores between
renamed = half[:, orders].flatten(0, 1)  # the page's own code, with a share of 0
log_likelihood = torch.xlogy(prefix_counts(torch.tensor([[1, 0, 0]]), 3)[:, :, None], renamed).sum(-1)
assert torch.allclose((log_likelihood.softmax(-1) @ renamed)[0, 1:], torch.stack([after_blue, after_two]))

# %% [markdown]
# ## What to try next
#
# - `papermill book/01_data.ipynb out.ipynb -p n_tasks 4`: four training urns. On the map, S moves towards G, and M too.
# - `-p alpha 0.3` or `-p alpha 5`: peaked and flat urns. G and S are further apart for peaked ones.
# - `-p n_pools 400`: four times the pools of this page halve the standard errors of its distances.
#
# Which of these students does a network become? [Chapter 2](02_train) trains one.
