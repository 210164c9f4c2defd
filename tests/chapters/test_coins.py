"""Coins: urns of two colours, given coins, reweighted priors, and moving a model to a new prior."""

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn import models, predictors, runs, tasks
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.chapters.coins import coin_losses, counts, direct_path, plots
from lexurn.figures import style
from lexurn.generators.urns import Urns
from lexurn.models import activations
from lexurn.models.backbone import HookPoint
from lexurn.runs import fit
from lexurn.settings.resolver import ParameterError, check

COIN = {
    "n_colors": 2,
    "n_tasks": 0,
    "context_length": 12,
    "d_model": 8,
    "n_steps": 40,
    "eval_every": 20,
}
SMALL = {"n_test_samples": 50, "batch_size": 16}


def test_the_evidence_of_a_sequence_is_the_product_of_the_predictions_of_g():
    for n_colors, alpha in ((2, [1.0, 8.0]), (2, 0.5), (4, [0.3, 1.0, 2.0, 5.0])):
        urns = Urns(n_colors, alpha)
        tokens = urns.out_of_distribution(50, 17, generator=generator(0, "evidence"))
        chain = -negative_log_likelihood(
            predictors.Generalizing(n_colors, alpha)(tokens), tokens
        ).sum(-1)
        torch.testing.assert_close(urns.log_evidence(tokens), chain, rtol=0, atol=1e-11)
    other = -negative_log_likelihood(predictors.Generalizing(2, 1.0)(tokens % 2), tokens % 2).sum(
        -1
    )
    assert (Urns(2, [1.0, 8.0]).log_evidence(tokens % 2) - other).abs().max() > 0.5


def test_weighted_losses_are_those_under_the_target_prior():
    """The weighted mean under the proposal equals the plain mean under the target."""
    settings = check(COIN | {"alpha": [1.0, 1.0], "target_alpha": [1.0, 4.0]})
    weigh, at, n = tasks.build(settings).sequence_weights, tasks.build(settings).prior, 40_000
    tokens = at.out_of_distribution(n, 13, generator=generator(0, "proposal"))
    targets = tasks.build(settings).target.out_of_distribution(
        n, 13, generator=generator(0, "target")
    )
    for predictor in (predictors.Generalizing(2, [1.0, 4.0]), predictors.Generalizing(2, 1.0)):
        losses = negative_log_likelihood(predictor(tokens), tokens).mean(-1)
        weighted, plain = (
            weigh(tokens) * losses,
            negative_log_likelihood(predictor(targets), targets).mean(-1),
        )
        error = (weighted.var() / n + plain.var() / n).sqrt()
        assert abs(weighted.mean() - plain.mean()) < 6 * error
        assert abs(losses.mean() - plain.mean()) > 8 * error
    assert abs(weigh(tokens).mean() - 1) < 6 * weigh(tokens).std() / n**0.5


def test_a_model_with_weighted_sequences_is_evaluated_under_the_target_and_learns_it():
    moved = COIN | {
        "alpha": [1.0, 1.0],
        "target_alpha": [1.0, 8.0],
        "n_steps": 400,
        "batch_size": 64,
    }
    run = runs.get(moved | {"n_test_samples": 200, "eval_every": 200})
    fresh = run.splits["out_of_distribution"]
    torch.testing.assert_close(
        run.references["generalizing"](fresh)[0, 0].exp(),
        torch.tensor([1 / 9, 8 / 9], dtype=torch.float64),
    )
    assert fresh.double().mean() > 0.8  # eight ninths are of colour 1
    plain = runs.get(
        COIN | {"n_steps": 400, "batch_size": 64, "n_test_samples": 200, "eval_every": 200}
    )
    losses = [
        negative_log_likelihood(each.predictor(fresh), fresh)[:, 1:].mean() for each in (run, plain)
    ]
    assert losses[0] < losses[1] - 0.02


def test_given_coins_are_the_pool():
    settings = check({"n_colors": 2, "thetas": "[0.2, 0.7]"})
    assert settings.task.n_tasks == 2
    assert tasks.build(settings).pool.tolist() == [[0.8, 0.2], [1 - 0.7, 0.7]]
    assert check(settings.flat()) == settings and check(settings.changed()) == settings
    tokens = tasks.build(settings).sample(
        4000, settings.task.context_length + 1, generator=generator(0, "given")
    )
    heads = tokens.double().mean(-1)
    assert 0.4 < heads.mean() < 0.5 and (heads < 0.45).double().mean() == pytest.approx(
        0.5, abs=0.05
    )


def test_label_permutation_flips_half_of_the_sequences():
    """A sequence and its flip are equally likely in training with `label_permuted`."""
    settings = check({"n_colors": 2, "thetas": [0.1], "label_permuted": True})
    tokens = tasks.build(settings).sample(
        2000, settings.task.context_length + 1, generator=generator(0, "flips")
    )
    share = (tokens.double().mean(-1) > 0.5).double().mean()
    assert abs(share - 0.5) < 6 * 0.5 / 2000**0.5


def test_retraining_the_vocabulary_changes_no_other_weights(tiny_run):
    first = tiny_run(COIN | SMALL)
    again = (
        COIN
        | SMALL
        | {"alpha": [1.0, 8.0], "init_from": first.settings.key, "trainable": "vocabulary"}
    )
    second = runs.get(again)
    before, after = first.model.state_dict(), second.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and changed <= {"start", "vocabulary.embedding"}
    whole = runs.get(again | {"trainable": "all"})
    assert (
        len(
            {
                name
                for name in before
                if not torch.equal(before[name], whole.model.state_dict()[name])
            }
        )
        > 5
    )
    begun = fit.init_model(second.settings)
    assert all(torch.equal(before[name], weight) for name, weight in begun.state_dict().items())


@pytest.mark.parametrize(
    ("flat", "said"),
    [
        (
            {"n_colors": 2, "alpha": [1.0, 0.0]},
            "alpha .* must be a positive number or a list of them",
        ),
        ({"n_colors": 2, "alpha": -1}, "alpha .* must be a positive number"),
        (
            {"n_colors": 2, "thetas": [0.2, 1.2]},
            "thetas .* must be a list of numbers such as .*0.2.*got .*1.2",
        ),
        (
            {"n_colors": 3, "thetas": [0.2]},
            "thetas are coins, urns of two colours, got n_colors=3; use n_colors 2",
        ),
        (
            {"n_colors": 2, "n_tasks": 3, "thetas": [0.2]},
            "n_tasks follows from thetas, got n_tasks=3 and 1 of them",
        ),
        (
            {"n_colors": 2, "n_tasks": 0, "target_alpha": [1.0]},
            "target_alpha must be n_colors=2 numbers, got 1",
        ),
        (
            {"n_colors": 2, "target_alpha": [1.0, 8.0]},
            "target_alpha weighs fresh urns, got n_tasks=1",
        ),
        (
            {"n_colors": 2, "n_tasks": 0, "target_alpha": [1.0, -8.0]},
            "target_alpha .* must be a list of numbers",
        ),
        (
            {"init_from": "abc"},
            "init_from must be the key of a run, twelve digits of 0-9 a-f, got 'abc'",
        ),
        (
            {"trainable": "vocabulary"},
            "trainable=vocabulary keeps the other weights.*set init_from",
        ),
        ({"mlp": "none", "d_mlp": 4}, "d_mlp counts only with an MLP, got d_mlp=4 and mlp=none"),
        (
            {"positions": "none", "positions_trained": False},
            "positions_trained counts only for positions that are a",
        ),
        (
            {"positions": "rotary", "d_head": 3},
            "d_head must be even with rotary positions, which rotate pairs, got 3",
        ),
        ({"positions": "logs"}, "positions .* got 'logs'; did you mean log"),
    ],
)
def test_invalid_coin_settings_are_errors(flat, said):
    with pytest.raises(ParameterError, match=said):
        check(flat)


def test_missing_or_unfitting_initial_weights_are_errors(tiny_run):
    with pytest.raises(
        ParameterError, match="init_from=0123456789ab gives no weights for this model: no run"
    ):
        runs.get(COIN | SMALL | {"init_from": "0123456789ab"})
    first = tiny_run(COIN | SMALL)
    with pytest.raises(ParameterError, match="gives no weights for this model: .*size mismatch"):
        runs.get(COIN | SMALL | {"d_model": 16, "init_from": first.settings.key})


def test_a_bos_is_no_token_of_the_input():
    """BOS is the model's own start vector: callers can neither omit nor repeat it."""
    model = models.build(check(COIN), generator=generator(0, "weights"))
    predictor = models.as_predictor(model)
    with pytest.raises(ValueError, match="tokens must lie in 0 … 1, got 0 … 2"):
        predictor(torch.tensor([[2, 0, 1]]))
    assert predictor(torch.tensor([[0]])).shape == (1, 1, 2)  # row 0, before any flip


def test_the_attainable_loss_is_the_loss_of_the_exact_predictor():
    losses = coin_losses.attainable_loss([1.0, 1.0], 99)
    for rows, wanted in ((slice(1, 21), 0.5488), (slice(1, 50), 0.5281), (slice(0, 99), 0.5191)):
        assert losses[rows].mean().item() == pytest.approx(wanted, abs=5e-5)
    assert coin_losses.unattainable_loss([1.0, 1.0]) == pytest.approx(0.5, abs=1e-9)
    assert (losses > 0.5).all()
    for alpha in ([1.0, 1.0], [8.0, 1.0], [0.5, 2.0]):
        tokens = Urns(2, alpha).out_of_distribution(
            20_000, 11, generator=generator(0, "attainable")
        )
        loss = negative_log_likelihood(predictors.Generalizing(2, alpha)(tokens), tokens)
        error = loss.std(0) / len(loss) ** 0.5
        deviation = (loss.mean(0) - coin_losses.attainable_loss(alpha, 11)) / error
        assert deviation[1:].abs().max() < 5  # row 0 is the same for all sequences
    wrong = (loss.mean(0) - coin_losses.attainable_loss([0.5, 1.0], 11)) / error
    assert wrong[1:].abs().max() > 10  # the last alpha, compared with another prior


def test_a_prior_is_written_tails_first():
    after = predictors.Generalizing(2, coin_losses.beta_prior(2.0, 3.0))(
        torch.tensor([[1, 1, 0, 0]])
    )
    assert after[0, 3, 1].exp().item() == pytest.approx((2 + 2.0) / (3 + 5.0))
    both = coin_losses.constant_sequence_predictions(predictors.Generalizing(2), length=4)
    heads = both[both["side"] == "all heads"]["probability"]
    assert heads.tolist() == pytest.approx([1 / 2, 2 / 3, 3 / 4, 4 / 5])


def test_the_distance_from_the_exact_predictor_is_zero_for_itself_and_right_for_others():
    exact, other = predictors.Generalizing(2), predictors.Generalizing(2, [8.0, 1.0])
    options = {"length": 6, "n_sequences": 300, "generator": generator(0, "thetas")}
    table = coin_losses.errors_by_theta(exact, exact, [0.0, 0.3, 1.0], **options)
    assert table["mean"].abs().max() < 1e-12
    table = coin_losses.errors_by_theta(other, exact, [1.0], **options)
    wanted = [(row + 1) / (row + 2) - (row + 1) / (row + 9) for row in range(6)]
    assert table[table["measure"] == "|p − exact|"]["mean"].tolist() == pytest.approx(wanted)


def test_sorted_sequences_are_all_the_sorted_ones():
    in_order = coin_losses.sorted_sequences(5)
    assert len(in_order.unique(dim=0)) == len(in_order) == 10
    assert ((in_order[:, 1:] != in_order[:, :-1]).sum(-1) <= 1).all()


def test_sampling_from_a_predictor_recovers_its_prior():
    for alpha, beta in ((1.0, 1.0), (2.0, 5.0)):
        exact = predictors.Generalizing(2, coin_losses.beta_prior(alpha, beta))
        heads = coin_losses.sample_head_counts(exact, 4000, 30, generator=generator(0, "resampled"))
        fit_table = coin_losses.fit_beta_prior(heads, length=30)
        for name, wanted in (("alpha", alpha), ("beta", beta)):
            value, sem = fit_table.loc[name]
            assert abs(value - wanted) < 5 * sem < wanted / 2


def counting_model():
    """Return a model that predicts (H + 1) / (N + 2), and encodes H along the third dimension."""
    flat = COIN | {"norm": "none", "mlp": "none", "n_heads": 1}
    model = models.build(check(flat), generator=generator(0, "weights")).double()
    direction = torch.nn.functional.one_hot(torch.tensor(2), 8).double()

    class Exact(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList(
                [torch.nn.ModuleDict({"own": HookPoint("resid_mid")})]
            )

        def forward(self, x):
            flips = x[..., 0]  # of tokens: 1 for heads
            rows = torch.arange(x.shape[1], dtype=x.dtype)
            heads = flips.cumsum(1)
            seen = self.layers[0]["own"](heads[..., None] * direction + x * 0)
            p = ((seen @ direction / direction.square().sum()) + 1) / (rows + 2)
            return torch.stack([(1 - p).log(), p.log(), *[x[..., 0] * 0] * 6], -1)

    class Vocabulary(models.LearnedVocabulary):
        def unembed(self, hidden, table):
            return hidden[..., :2]

    model.backbone, model.positions = Exact(), None
    model.start.data.zero_()
    model.vocabulary.__class__ = Vocabulary
    model.vocabulary.embedding.data.zero_()
    model.vocabulary.embedding.data[1, 0] = 1.0
    return model


@pytest.fixture(scope="module")
def flips():
    return Urns(2).out_of_distribution(300, 13, generator=generator(0, "flips"))


def test_steering_a_counting_model_agrees_with_the_formula(flips):
    model = counting_model()
    name = "0.resid_mid"
    exact = predictors.Generalizing(2)
    assert coin_losses.excess_loss(models.as_predictor(model), exact, flips).abs().max() < 1e-12
    direction = counts.count_direction(model, flips, name, row=12)
    torch.testing.assert_close(direction, torch.nn.functional.one_hot(torch.tensor(2), 8).double())
    steered = counts.steering_effects(model, flips, name, direction, row=12, shifts=[-2.0, 1.0])
    difference, slope = counts.agreement(steered)
    assert difference.max() < 1e-12 and slope.mean() == pytest.approx(1)
    assert steered["formula"].std() > 0.02
    heads = flips[:, :12].sum(-1)
    assert len(steered) == (heads >= 2).sum() + (heads <= 11).sum()  # only possible counts
    # What is read at a later row does not depend on this row, since the model counts afresh.
    later = counts.steering_effects(
        model, flips, name, direction, row=6, shifts=[-2.0, 1.0], read_row=12
    )
    assert later["model"].abs().max() < 1e-12 and later["formula"].abs().min() > 0.05
    # The control: another direction does not change the prediction.
    other = torch.nn.functional.one_hot(torch.tensor(3), 8).double()
    control = counts.steering_effects(model, flips, name, other, row=12, shifts=[-2.0, 1.0])
    difference, slope = counts.agreement(control)
    assert abs(slope.mean()) < 1e-12 and difference.mean() > 0.05


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_direct_path_is_the_whole_effect_if_no_later_layer_answers(tiny_run, n_layers):
    run = tiny_run({**COIN, **SMALL, "n_layers": n_layers})

    def slope_at_the_row():
        slopes = counts.steering_slopes([run])
        return slopes.set_index("what")["value"]["at the row that predicts"]

    direct = direct_path.direct_slopes([run])["value"].item()
    if n_layers == 2:
        assert slope_at_the_row() != pytest.approx(direct, rel=1e-4)
        for part in (
            run.model.backbone.blocks[1].attention.out,
            run.model.backbone.blocks[1].mlp.down,
        ):
            part.weight.data.zero_()  # the layer still adds a constant
        direct = direct_path.direct_slopes([run])["value"].item()
    assert slope_at_the_row() == pytest.approx(direct, rel=1e-4)


def test_the_activation_table_pairs_activations_with_the_counts_so_far(flips):
    run = runs.get(COIN | SMALL | {"n_heads": 2, "d_head": 1})
    table = counts.activation_table(run.model, flips[:5], "0.attn.z", head=1)
    values = activations.read(run.model, flips[:5], "0.attn.z")["0.attn.z"]
    assert len(table) == 5 * 12
    for line in table.sample(20, random_state=0).itertuples():
        seen = flips[line.sequence, : line.n]
        assert (line.heads, line.token) == (seen.sum(), seen[-1])
        assert line.share == pytest.approx(line.heads / line.n)
        log_odds = np.log((line.heads + 1) / (line.n - line.heads + 1))
        assert line.log_odds == pytest.approx(log_odds, abs=1e-6)
        assert line.x == pytest.approx(values[line.sequence, line.n, 1, 0].item(), abs=1e-6)


def test_fitted_lines_recover_true_lines_and_explain_nothing_else(flips, tiny_run):
    table = counts.activation_table(tiny_run(COIN | SMALL).model, flips, "0.resid_post")
    line = table.assign(x=3.0 - 2.0 * table["share"] + 5.0 * table["token"])
    fits = counts.fit_lines(line)
    assert fits["slope"].tolist() == pytest.approx([-2.0, -2.0])
    assert fits["intercept"].tolist() == pytest.approx([3.0, 8.0])
    assert fits[["r2", "r2_mixed", "r2_with_n"]].to_numpy() == pytest.approx(1.0)
    ends = counts.points_and_lines(line, fits)
    ends = ends[ends["what"] == "fit"]
    planted = 3.0 - 2.0 * ends["share"] + 5.0 * ends["token"]
    # The last bits of a fit differ by processor.
    np.testing.assert_allclose(ends["x"], planted, rtol=0, atol=1e-12)
    assert len(ends) == 4
    noise = counts.fit_lines(table.assign(x=np.random.default_rng(0).standard_normal(len(table))))
    assert (noise[["r2", "r2_mixed", "r2_with_n"]] < 0.02).all(axis=None)
    assert (counts.fit_lines(table.assign(x=1.0))[["r2", "r2_mixed", "r2_with_n"]] == 0).all(
        axis=None
    )
    by_n = counts.fit_lines(table.assign(x=table["share"] * table["n"]))
    assert (by_n["r2_with_n"] > 0.999).all() and (by_n["r2"] < 0.9).all()
    mixed = table[(table["heads"] > 0) & (table["heads"] < table["n"])]
    assert fits["n_mixed"].tolist() == mixed.groupby("token").size().tolist()


def test_lexical_models_are_invariant_to_flips_with_their_table(flips):
    run = runs.get(COIN | SMALL | {"lex": True})
    with_table, alone = (
        coin_losses.relabelling_error(
            run.model, flips, generator=generator(0, "renamed"), flip_table=flip_table
        )
        for flip_table in (True, False)
    )
    assert with_table.max() < 1e-5 and alone.mean() > 1e-3


def test_the_forgetting_predictor_weighs_recent_flips_more(flips):
    probs = coin_losses.forgetting_predictor(flips, rate=0.5).exp()
    assert torch.allclose(probs.sum(-1), torch.ones(()).double())
    later, sooner = (
        coin_losses.forgetting_predictor(torch.tensor([sequence]), rate=0.5)[0, 3, 1].exp()
        for sequence in ([0, 1, 1, 0], [1, 1, 0, 0])
    )
    assert later == pytest.approx((0.5 + 1 + 1) / (0.25 + 0.5 + 1 + 2))
    assert sooner == pytest.approx((0.25 + 0.5 + 1) / 3.75)
    everything = coin_losses.forgetting_predictor(flips, rate=1.0)
    assert torch.allclose(everything, predictors.Generalizing(2)(flips))


def test_the_excess_is_the_expected_difference_of_losses():
    exact, other = predictors.Generalizing(2), predictors.Generalizing(2, [3.0, 1.0])
    tokens = Urns(2).out_of_distribution(20_000, 13, generator=generator(0, "excess"))
    excess = coin_losses.excess_loss(other, exact, tokens)
    losses = [
        negative_log_likelihood(each(tokens), tokens)[:, 1:].mean(-1) for each in (other, exact)
    ]
    noisy = losses[0] - losses[1]
    error = noisy.std() / len(noisy) ** 0.5
    assert abs(excess.mean() - noisy.mean()) < 5 * error < 0.5 * excess.mean()
    assert excess.std() < 0.5 * noisy.std()
    assert coin_losses.excess_loss(exact, exact, tokens).abs().max() < 1e-12


def test_impossible_priors_and_thetas_are_errors():
    for alpha in ([0.0, 1.0], [-1.0, 1.0]):
        with pytest.raises(ValueError, match="alpha must be positive"):
            coin_losses.attainable_loss(alpha, 3)
        with pytest.raises(ValueError, match="alpha must be positive"):
            coin_losses.unattainable_loss(alpha)
    exact = predictors.Generalizing(2)
    with pytest.raises(
        ValueError, match=r"probabilities of heads between 0 and 1, got \[0.5, 1.2\]"
    ):
        coin_losses.errors_by_theta(
            exact, exact, [0.5, 1.2], length=3, n_sequences=2, generator=generator(0, "x")
        )


def test_the_optimum_of_a_lexical_model_under_a_skewed_target_is_not_g():
    skewed = check(COIN | {"target_alpha": [8.0, 1.0], "lex": True})
    assert tasks.build(skewed).optimum == "symmetrized"
    assert tasks.build(check(COIN | {"target_alpha": [8.0, 1.0]})).optimum == "generalizing"
    assert tasks.build(check(COIN | {"lex": True})).optimum == "generalizing"


def test_medians_of_strips_and_bars_of_fates_are_those_of_the_table():
    rows = [("none", "tiny", value) for value in (0.001, 0.004, 0.1)] + [("log", "tiny", 0.002)]
    table = pd.DataFrame(rows, columns=["of", "what", "excess"])
    _, (axes,) = style.panels(1)
    plots.strips(table, axes, x="excess")
    medians = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert {0.004, 0.002} <= set(medians) and axes.get_xscale() == "log"
    counted = pd.DataFrame(
        {
            "excess": [0.001, 0.0012, 0.03, 0.09, 0.14],
            "fate": ["learned", "learned", "stuck", None, None],
            "level": [None, None, None, "last", "constant"],
        }
    )
    _, (axes,) = style.panels(1)
    plots.fate_counts(counted, axes)
    assert sum(patch.get_height() for patch in axes.patches) == 3
    assert {0.09, 0.14} <= {line.get_xdata()[0] for line in axes.lines}


def test_the_plane_has_the_contexts_and_the_levels_of_its_table():
    grid = [("grid", x, y, x + y, None) for x in range(3) for y in range(3)]
    points = [("context", 1.0, 0.5, None, token) for token in (0, 1)]
    table = pd.DataFrame(grid + points, columns=["what", "x", "y", "log_odds", "token"])
    _, (axes,) = style.panels(1)
    plots.levels_of_plane(table, axes)
    assert axes.get_legend_handles_labels()[1] == ["after tails", "after heads"]
    direct = pd.DataFrame({"direct": [0.5, 1.0], "head": [-0.5, 0.2], "fate": ["learned", "stuck"]})
    _, (axes,) = style.panels(1)
    plots.effects(direct, axes)
    assert axes.get_legend_handles_labels()[1] == ["they cancel", "learned", "stuck"]
