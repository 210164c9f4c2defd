"""Exact predictors against brute force, closed forms and laws."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, gammaln
from scipy.stats import betabinom, dirichlet_multinomial

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.threads import threads
from lexurn.generators.urns import Urns
from lexurn.predictors import (
    Empirical,
    Generalizing,
    Memorizing,
    Symmetrized,
    Uniform,
    compiled,
    symmetrized,
)
from lexurn.predictors.counting import prefix_counts
from lexurn.predictors.symmetrized import relabelings


def draw(n_colors, *, n_tasks=1, n=40, length=20, alpha=1.0, seed=0):
    """A pool, and sequences from fresh urns with constant ones among them."""
    urns = Urns(n_colors, alpha)
    pool = urns.sample_tasks(n_tasks, generator=generator(seed, "pool"))
    tokens = urns.out_of_distribution(n, length, generator=generator(seed, "tokens"))
    return pool, torch.cat([tokens, urns.low_entropy(length)])


def by_hand(urns, counts):
    """S from its definition, in plain Python: every urn, every relabelling."""
    n_colors, total, parts = len(counts), 0.0, [0.0] * len(counts)
    for urn in urns.tolist():
        for order in itertools.permutations(range(n_colors)):
            likelihood = np.prod([urn[order[i]] ** counts[i] for i in range(n_colors)])
            total += likelihood
            parts = [part + likelihood * urn[order[v]] for v, part in enumerate(parts)]
    return [part / total for part in parts]


def forced(urns, *, min_seconds):
    """S by subsets for every number of colours: in compiled loops, or in torch."""
    predictor = Symmetrized(urns)

    def predict(tokens):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(symmetrized, "ENUMERABLE", 0)
            patch.setattr(compiled, "MIN_SECONDS", min_seconds)
            return predictor(tokens)

    return predict


def by_loops(urns):
    return forced(urns, min_seconds=0)


def by_torch(urns):
    return forced(urns, min_seconds=float("inf"))


every_form = pytest.mark.parametrize("form", [Symmetrized, by_torch, by_loops])


@every_form
@pytest.mark.parametrize("n_colors", [2, 3, 4, 5])
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_symmetrized_is_the_sum_over_relabelings(form, n_colors, n_tasks):
    pool, tokens = draw(n_colors, n_tasks=n_tasks, n=4, length=9)
    counts = prefix_counts(tokens, n_colors)
    wanted = [[by_hand(pool, row) for row in sequence] for sequence in counts.long().tolist()]
    torch.testing.assert_close(form(pool)(tokens).exp(), torch.tensor(wanted, dtype=torch.float64))


@every_form
@pytest.mark.parametrize("n_colors", [2, 4, 6, 7])
def test_symmetrized_is_memorizing_the_relabelled_pool(form, n_colors):
    pool, tokens = draw(n_colors, n_tasks=2, n=10, length=65)
    enumerated = Memorizing(relabelings(pool))(tokens)
    torch.testing.assert_close(form(pool)(tokens), enumerated, rtol=1e-10, atol=1e-10)
    with pytest.raises(AssertionError):  # the plain pool is something else
        torch.testing.assert_close(
            form(pool)(tokens), Memorizing(pool)(tokens), rtol=0.01, atol=0.01
        )


@every_form
@pytest.mark.parametrize("alpha", [0.02, 1.0, 50.0])
def test_symmetrized_survives_long_sequences_and_extreme_urns(form, alpha):
    pool, tokens = draw(8, n_tasks=3, n=5, length=1500, alpha=alpha)
    log_probs = form(pool)(tokens[:, ::1])
    assert not log_probs.isnan().any()
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones_like(log_probs[..., 0]))


@pytest.mark.parametrize("n_colors", [15, 20])
def test_symmetrized_refuses_too_many_colors_and_foretells_their_cost(n_colors):
    duration, mib = {15: ("16 s", 16), 20: ("11 min 11 s", 512)}[n_colors]
    urn = torch.full((1, n_colors), 1 / n_colors, dtype=torch.float64)
    wanted = f"at most 14 colours, got {n_colors}.* about {duration} per urn and {mib} MiB"
    with pytest.raises(ValueError, match=wanted):
        Symmetrized(urn)
    Symmetrized(torch.full((1, 14), 1 / 14, dtype=torch.float64))


@pytest.mark.parametrize(
    ("n_colors", "n_tasks", "length", "alpha"),
    [(5, 3, 65, 1.0), (8, 4, 65, 0.05), (8, 2, 600, 20.0), (10, 1, 33, 1.0), (12, 1, 5, 0.3)],
)
def test_compiled_loops_agree_with_torch(n_colors, n_tasks, length, alpha):
    pool, tokens = draw(n_colors, n_tasks=n_tasks, n=3, length=length, alpha=alpha)
    wanted, found = by_torch(pool)(tokens), by_loops(pool)(tokens)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("", ""),
        ("row = sizes[m] - 1", "row = max(sizes[m] - 2, 0)"),
        ("weighted[lane] += urn[k] * term", "weighted[lane] += urn[row] * term"),
        ("if not m >> k & 1", "if not m >> k & 1 and k"),
        ("counts[k, start + lane] - n_i", "0"),
        ("counts[i, start + lane]", "counts[i, lane]"),
    ],
)
def test_a_fault_in_the_loops_is_seen(monkeypatch, right, wrong):
    """The source of the loops, changed in one place and run by Python."""
    from lexurn.predictors import permanents

    source = Path(permanents.__file__).read_text()
    assert right in source
    faulty = {}
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    exec(source.replace(right, wrong, 1).replace("LANES = 64", "LANES = 8"), faulty)
    monkeypatch.setattr(compiled, "load_loops", lambda: faulty["sum_relabelings"])
    pool, tokens = draw(3, n_tasks=2, n=2, length=7)
    difference = (by_loops(pool)(tokens) - by_torch(pool)(tokens)).abs().max()
    assert difference < 1e-12 if right == wrong else not difference < 1e-6


def test_more_threads_give_the_same_bits(monkeypatch):
    pool, tokens = draw(6, n_tasks=3, n=8)
    monkeypatch.setattr(compiled, "CHUNK", 18 * 70)  # several chunks, which no lanes divide
    single = by_loops(pool)(tokens)
    n_workers, start_threads = [], compiled.ThreadPoolExecutor
    monkeypatch.setattr(
        compiled, "ThreadPoolExecutor", lambda n: n_workers.append(n) or start_threads(n)
    )
    with threads(2):
        assert torch.equal(by_loops(pool)(tokens), single)
    assert n_workers == [2]


def test_without_numba_the_torch_form_computes_s_and_says_so(monkeypatch):
    pool, tokens = draw(5)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "lexurn.predictors.permanents", raising=False)
    with pytest.warns(UserWarning, match="numba is missing .*; install it with `pip install"):
        found = by_loops(pool)(tokens)
    assert torch.equal(found, by_torch(pool)(tokens))


def test_loops_are_compiled_where_no_folder_can_keep_them():
    from lexurn.predictors import permanents

    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)  # without a file, numba cannot cache
    assert permanents.compiled(namespace["double"])(4) == 8


def test_small_problems_load_no_numba(monkeypatch):
    loaded = []
    monkeypatch.setattr(compiled, "load_loops", lambda: loaded.append(1))
    pool, tokens = draw(5)
    Symmetrized(pool)(tokens)
    assert not loaded
    monkeypatch.setattr(compiled, "MIN_SECONDS", tokens.numel() * 5 * 2**5 / 2e9)
    Symmetrized(pool)(tokens)
    assert loaded


@every_form
def test_a_uniform_urn_makes_memorizing_and_symmetrized_uniform(form):
    urn = torch.full((1, 6), 1 / 6, dtype=torch.float64)
    _, tokens = draw(6)
    for predictor in (Memorizing(urn), form(urn)):
        torch.testing.assert_close(predictor(tokens), Uniform(6)(tokens))


@every_form
@given(logit=st.floats(-6, 6))
def test_two_colors_and_one_urn_have_a_closed_form(form, logit):
    """S mixes the urn and its mirror image with weight σ((2h − t) logit θ)."""
    theta = torch.tensor([logit], dtype=torch.float64).sigmoid()
    pool = torch.stack([theta, 1 - theta], -1)
    _, tokens = draw(2, n=20, length=30)
    heads = prefix_counts(tokens, 2)[..., 0]
    weight = ((2 * heads - torch.arange(30)) * logit).sigmoid()
    wanted = weight * theta + (1 - weight) * (1 - theta)
    torch.testing.assert_close(form(pool)(tokens)[..., 0].exp(), wanted)


def test_symmetrized_tends_to_generalizing_as_the_pool_grows():
    """Over all pools from a symmetric prior S is G; with D urns it is nearer the larger D is."""
    _, tokens = draw(3, n=200, length=20)
    generalizing = Generalizing(3)(tokens)
    distances = []
    for n_tasks in (1, 30, 1_000, 10_000):
        pool = Urns(3).sample_tasks(n_tasks, generator=generator(1, "pool"))
        distances.append(
            divergences.symmetrized_kl(Symmetrized(pool)(tokens), generalizing).mean().item()
        )
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.02 and distances[-1] < 1e-4


def test_memorizing_tends_to_generalizing_as_the_pool_grows():
    pool = Urns(3, 2.0).sample_tasks(50_000, generator=generator(1, "pool"))
    _, tokens = draw(3, n=100, length=10)
    distance = divergences.symmetrized_kl(Memorizing(pool)(tokens), Generalizing(3, 2.0)(tokens))
    assert distance.mean() < 1e-3
    assert (
        divergences.symmetrized_kl(Memorizing(pool)(tokens), Generalizing(3, 1.0)(tokens)).mean()
        > 5e-3
    )


@every_form
@given(seed=st.integers(0, 10_000), n_colors=st.integers(2, 6), n_tasks=st.integers(1, 4))
def test_symmetrized_knows_no_names(form, seed, n_colors, n_tasks):
    """Row 0 is uniform, equal counts get equal probability, and S commutes with relabeling."""
    pool, tokens = draw(n_colors, n_tasks=n_tasks, seed=seed, n=10)
    log_probs = form(pool)(tokens)
    torch.testing.assert_close(log_probs[:, 0], Uniform(n_colors)(tokens)[:, 0])
    counts = prefix_counts(tokens, n_colors)
    equal = counts[..., :, None] == counts[..., None, :]
    assert (log_probs[..., :, None] - log_probs[..., None, :])[equal].abs().max() < 1e-9
    order = torch.randperm(n_colors, generator=generator(seed, "order"))
    torch.testing.assert_close(form(pool)(order[tokens])[..., order], log_probs)
    torch.testing.assert_close(form(pool[:, order])(tokens), log_probs)


def test_memorizing_knows_names():
    """The control of the test above."""
    pool, tokens = draw(4)
    order = torch.tensor([1, 2, 3, 0])
    moved = Memorizing(pool)(order[tokens])[..., order] - Memorizing(pool)(tokens)
    assert moved.abs().max() > 0.1


def log_evidence(log_probs, tokens):
    return log_probs.gather(-1, tokens[..., None]).sum((1, 2))


@given(seed=st.integers(0, 10_000), n_colors=st.integers(2, 6), alpha=st.floats(0.05, 20))
def test_chain_rule_of_generalizing(seed, n_colors, alpha):
    """The rows add up to the log of the Dirichlet-multinomial law without its coefficient."""
    _, tokens = draw(n_colors, seed=seed, n=5, length=12)
    counts = torch.stack([(tokens == v).sum(-1) for v in range(n_colors)], -1).numpy()
    coefficient = gammaln(12 + 1) - gammaln(counts + 1).sum(-1)
    law = dirichlet_multinomial.logpmf(counts, [alpha] * n_colors, 12) - coefficient
    found = log_evidence(Generalizing(n_colors, alpha)(tokens), tokens)
    np.testing.assert_allclose(found.numpy(), law, rtol=1e-9)
    assert (
        np.abs(log_evidence(Generalizing(n_colors, alpha + 1)(tokens), tokens).numpy() - law).max()
        > 1e-3
    )


def test_chain_rule_with_one_concentration_per_color():
    _, tokens = draw(3, n=5, length=12)
    counts = torch.stack([(tokens == v).sum(-1) for v in range(3)], -1).numpy()
    coefficient = gammaln(12 + 1) - gammaln(counts + 1).sum(-1)
    law = dirichlet_multinomial.logpmf(counts, [0.5, 1.0, 4.0], 12) - coefficient
    np.testing.assert_allclose(
        log_evidence(Generalizing(3, (0.5, 1.0, 4.0))(tokens), tokens).numpy(), law
    )


@every_form
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_chain_rule_of_memorizing_and_symmetrized(form, n_tasks):
    pool, tokens = draw(5, n_tasks=n_tasks)
    for predictor, urns in ((Memorizing(pool), pool), (form(pool), relabelings(pool))):
        likelihood = urns.log()[:, tokens].sum(-1)  # urns batch
        wanted = likelihood.logsumexp(0) - np.log(len(urns))
        torch.testing.assert_close(log_evidence(predictor(tokens), tokens), wanted)


def martingale_gap(predictor, tokens, n_colors):
    """Σ_v p(v | x) p(· | x, v) − p(· | x), which is 0 where predictions are posterior means."""
    now = predictor(torch.cat([tokens, tokens[:, :1]], 1))[:, -1].exp()
    ahead = 0.0
    for v in range(n_colors):
        new = torch.full_like(tokens[:, :1], v)
        ahead += now[:, v : v + 1] * predictor(torch.cat([tokens, new, new], 1))[:, -1].exp()
    return (ahead - now).abs().max().item()


@every_form
def test_predictions_are_martingales(form):
    pool, tokens = draw(5, n_tasks=3)
    for predictor in (Generalizing(5, 0.7), Memorizing(pool), form(pool), Uniform(5)):
        assert martingale_gap(predictor, tokens, 5) < 1e-12

    def sharpened(tokens):
        return (2 * Generalizing(5)(tokens)).log_softmax(-1)

    assert martingale_gap(sharpened, tokens, 5) > 1e-3


@every_form
def test_predictions_depend_on_the_past_alone_and_not_on_its_order(form):
    pool, tokens = draw(4, n_tasks=3)
    changed = tokens.clone()
    changed[:, 10:] = (changed[:, 10:] + 1) % 4
    shuffled = torch.cat([tokens[:, :10].flip(1), tokens[:, 10:]], 1)
    predictors = (Generalizing(4), Memorizing(pool), form(pool), Uniform(4), Empirical(4))
    for predictor in predictors:
        torch.testing.assert_close(
            predictor(changed)[:, :11], predictor(tokens)[:, :11], rtol=0, atol=0
        )
        torch.testing.assert_close(predictor(shuffled)[:, 10:], predictor(tokens)[:, 10:])
        torch.testing.assert_close(
            predictor(tokens).exp().sum(-1), torch.ones(tokens.shape, dtype=torch.float64)
        )
    assert (Generalizing(4)(changed)[:, 11:] - Generalizing(4)(tokens)[:, 11:]).abs().max() > 0.01


@every_form
def test_total_regret_of_symmetrized_is_bounded(form):
    """Never more than ln(D · V!) behind the urn that the sequence came from."""
    urns = Urns(4)
    pool = urns.sample_tasks(3, generator=generator(0, "pool"))
    chosen = pool.repeat_interleave(200, 0)
    tokens = urns.sample(chosen, 200, generator=generator(0, "tokens"))
    true = log_evidence(chosen.log()[:, None].expand(-1, 200, -1), tokens)
    regret = true - log_evidence(form(pool)(tokens), tokens)
    assert regret.max() <= np.log(3 * 24) + 1e-9
    assert (true - log_evidence(Generalizing(4)(tokens), tokens)).max() > np.log(3 * 24)


@pytest.mark.parametrize("n_colors", [2, 3, 5, 8])
def test_memorizing_one_urn_is_one_minus_one_over_v_from_a_fresh_one(n_colors):
    """For D = 1 and α = 1, E[KL(urn ‖ M)] out of distribution is 1 − 1/V (six sem)."""
    pools, fresh = (
        Urns(n_colors).sample_tasks(2_000, generator=generator(seed, "x")) for seed in (0, 1)
    )
    two_balls = Urns(n_colors).sample(fresh, 2, generator=generator(2, "x"))
    predicted = torch.cat(
        [
            Memorizing(pool[None])(tokens[None])[:, 1]
            for pool, tokens in zip(pools, two_balls, strict=True)
        ]
    )
    distance = divergences.kl(fresh.log(), predicted)
    sem = distance.std() / len(distance) ** 0.5
    assert abs(distance.mean() - (1 - 1 / n_colors)) < 6 * sem
    assert abs(distance.mean() - 1.0) > 6 * sem


def generalizing_to_urn(n_colors, t):
    """E[KL(urn ‖ G)] at row t for α = 1, as a beta-binomial sum."""
    n = np.arange(t + 1)
    law = betabinom.pmf(n, t, 1, n_colors - 1)
    cross = n_colors * (law * (n + 1) / (t + n_colors) * np.log(n + 1)).sum() - np.log(t + n_colors)
    return digamma(2) - digamma(n_colors + 1) - cross


@pytest.mark.parametrize("n_colors", [2, 4])
def test_generalizing_is_as_far_from_the_urn_as_its_closed_form_says(n_colors):
    urns = Urns(n_colors)
    fresh = urns.sample_tasks(4000, generator=generator(0, "urns"))
    tokens = urns.sample(fresh, 33, generator=generator(0, "tokens"))
    distance = divergences.kl(fresh.log()[:, None], Generalizing(n_colors)(tokens))
    wanted = torch.tensor([generalizing_to_urn(n_colors, t) for t in range(33)])
    sem = distance.std(0) / len(distance) ** 0.5
    assert ((distance.mean(0) - wanted).abs() < 6 * sem).all()
    assert not ((distance.mean(0) - wanted.roll(1)).abs() < 6 * sem).all()


def test_reference_figures_of_generalizing():
    """Mean over rows 0 … C−1: .0625 for V=4, C=64, .072 for V=8, C=128."""
    assert round(np.mean([generalizing_to_urn(4, t) for t in range(64)]), 4) == 0.0625
    assert round(np.mean([generalizing_to_urn(8, t) for t in range(128)]), 3) == 0.072


def test_reference_figures_of_memorizing_and_symmetrized():
    """KL(true urn ‖ predictor) for V=4, C=64, D=1: M .750, S .171 ± .002 out, S .036 in dist."""
    urns, n_pools, n = Urns(4), 150, 12
    found = []
    for seed in range(n_pools):
        pool = urns.sample_tasks(1, generator=generator(seed, "pool"))
        fresh = urns.sample_tasks(n, generator=generator(seed, "fresh"))
        row = []
        for source, predictor in (
            (fresh, Memorizing(pool)),
            (fresh, Symmetrized(pool)),
            (pool, Symmetrized(pool)),
        ):
            source = source.expand(n, 4)
            tokens = urns.sample(source, 64, generator=generator(seed, "tokens"))
            row.append(divergences.kl(source.log()[:, None], predictor(tokens)).mean().item())
        found.append(row)
    found = np.array(found)
    sem = found.std(0, ddof=1) / n_pools**0.5
    assert (np.abs(found.mean(0) - [0.750, 0.171, 0.036]) < 6 * sem + [0, 0.002, 0.0005]).all()
    assert abs(found.mean(0)[0] - found.mean(0)[1]) > 6 * sem.sum()


def test_empirical_follows_its_published_protocol():
    log_probs = Empirical(3)(torch.tensor([[1, 1, 2, 0]]))[0].exp()
    wanted = torch.tensor(
        [[1 / 3, 1 / 3, 1 / 3], [0, 1, 0], [0, 1, 0], [0, 2 / 3, 1 / 3]], dtype=torch.float64
    )
    torch.testing.assert_close(log_probs, wanted)


def test_memorizing_in_chunks_equals_the_plain_formula(monkeypatch):
    pool, tokens = draw(4, n_tasks=50)
    counts = prefix_counts(tokens, 4)
    plain = ((counts @ pool.log().T).softmax(-1) @ pool).log()
    monkeypatch.setattr("lexurn.predictors.counting.CHUNK", 170)
    torch.testing.assert_close(Memorizing(pool)(tokens), plain)


@every_form
def test_impossible_balls_rule_an_urn_out(form):
    pool = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=torch.float64)
    log_probs = Memorizing(pool)(torch.tensor([[2, 0, 0]]))[0].exp()
    torch.testing.assert_close(log_probs[1], pool[1])
    assert not form(pool)(torch.tensor([[2, 0, 1, 1]])).isnan().any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Generalizing(3, -1.0), "alpha must be positive"),
        (lambda: Generalizing(3, (1.0,)), "alpha must be one number or 3 numbers, got 1"),
        (lambda: Memorizing(torch.ones(1, 3, dtype=torch.float64)), "sum to 1"),
        (lambda: Symmetrized(torch.tensor([[1.5, -0.5]], dtype=torch.float64)), "non-negative"),
    ],
)
def test_bad_priors_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_tokens_out_of_range_are_refused():
    with pytest.raises(ValueError, match="tokens must lie in 0 … 2, got 0 … 3"):
        Generalizing(3)(torch.tensor([[0, 3]]))
