"""Exact predictors in the page compute what the library computes."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from browsers import needs_chromium, watch

from lexurn.base import divergences, paths
from lexurn.base.seeding import generator
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER
from lexurn.generators.urns import Urns
from lexurn.measures import plane
from lexurn.predictors import Generalizing, Memorizing, SequenceMixture, Symmetrized
from lexurn.predictors.grammars import oracle
from lexurn.predictors.symmetrized import relabelings
from lexurn.settings import LETTERS

pytestmark = [pytest.mark.book, needs_chromium]

SCRIPTS = paths.root() / "book" / "assets" / "explorables"
URN = [0.7, 0.2, 0.1]
MAX_LENGTH = 32  # of strings in the book's chapters on languages


@pytest.fixture(scope="module")
def page(browser):
    """A page with both scripts, which has no error and asks for nothing."""
    page = browser.new_page()
    requests, errors = watch(page)
    for name in ("predictors", "languages"):
        page.add_script_tag(path=SCRIPTS / f"{name}.js")
    yield page
    page.close()
    assert requests == errors == []


def call(page, expression, *arguments):
    """The value of an expression of the arguments a, b, c …; numbers that JSON lacks included."""
    names = ", ".join("abcdef"[: len(arguments)])
    return page.evaluate(f"([{names}]) => {expression}", list(arguments))


def error(page, expression, *arguments):
    """The name and the message of the error that an expression throws, or None."""
    run = f"(() => {{ try {{ {expression}; return null; }} catch (e) {{ return `${{e}}`; }} }})()"
    return call(page, run, *arguments)


def references(urns, *, alpha=1.0, epsilon=0.01):
    """G, M, S and B_ε. S is summed over all renamings, by its definition."""
    urns = torch.tensor(urns, dtype=torch.float64)
    g, m, s = Generalizing(urns.shape[1], alpha), Memorizing(urns), Memorizing(relabelings(urns))
    doubting = SequenceMixture([s, g], [1.0 - epsilon, float(epsilon)])
    return {"generalizing": g, "memorizing": m, "symmetrized": s, "doubting": doubting}


def rows(predictor, balls):
    """The predictions of a predictor of the library before every ball and after the last one."""
    return predictor(torch.tensor([[*balls, 0]]))[0].exp().numpy()


def difference(found, wanted):
    return max(np.abs(np.array(found[name]) - wanted[name]).max() for name in wanted)


def sampled_pool(n_colors, n_urns, *, alpha=0.5, n_absent=0):
    """Urns from a Dirichlet distribution; every urn lacks `n_absent` colours."""
    draws = generator(7, "pool")
    urns = Urns(n_colors, alpha).sample_tasks(n_urns, generator=draws)
    for urn in urns[:, : n_colors if n_absent else 0]:
        urn[torch.randperm(n_colors, generator=draws)[:n_absent]] = 0.0
    return (urns / urns.sum(-1, keepdim=True)).tolist()


POOLS = {
    "one": [URN],
    "absent": [[0.5, 0.5, 0.0]],  # sequences have balls that this urn cannot give
    "disjoint": [[1.0, 0.0, 0.0], [0.0, 0.3, 0.7]],
    "uniform": [[1 / 3, 1 / 3, 1 / 3]],
    "coin": [[0.1, 0.9]],
    "four": [[0.4105, 0.3253, 0.0442, 0.22], [0.97, 0.01, 0.01, 0.01], [0.0, 0.0, 0.5, 0.5]],
    "five": sampled_pool(5, 3),
    "five, absent": sampled_pool(5, 2, n_absent=2),
    "six": sampled_pool(6, 1),
    "six, absent": sampled_pool(6, 5, n_absent=3),
    "six, extreme": [[1 - 5e-9, *[1e-9] * 5], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]],
    "six, even": [[1 / 6] * 6],
    "sixteen of six": sampled_pool(6, 16, alpha=1.0),
}


@pytest.mark.parametrize("name", POOLS)
def test_the_pages_numbers_are_those_of_the_library(page, name):
    urns = POOLS[name]
    n_colors = len(urns[0])
    task = Urns(n_colors)
    even = torch.full((1, n_colors), 1 / n_colors, dtype=torch.float64)
    known = torch.tensor(urns[-1:], dtype=torch.float64)
    draws = generator(3, "recorded")
    sequences = [task.sample(urn, 60, generator=draws)[0].tolist() for urn in (even, known)]
    for balls in [*sequences, [1] * 60, [0, *[1] * 30, *[n_colors - 1] * 29]]:
        found = call(page, "lexurn.predict(a, {urns: b, epsilon: 0.01})", balls, urns)
        wanted = {name: rows(rule, balls) for name, rule in references(urns).items()}
        assert found.keys() == wanted.keys()
        assert len(found["doubting"]) == 61 and difference(found, wanted) < 1e-9
        library = rows(Symmetrized(torch.tensor(urns, dtype=torch.float64)), balls)
        assert difference(found, {"symmetrized": library}) < 1e-9
    if np.ptp(urns) > 0:  # else M is S
        assert difference(found | {"symmetrized": found["memorizing"]}, wanted) > 1e-3


@pytest.mark.parametrize("epsilon", [0, 0.3, 1])
@pytest.mark.parametrize("alpha", [0.1, 4])
def test_the_prior_and_the_doubt_are_options(page, alpha, epsilon):
    balls = [0, 0, 2, 1, 0, 2, 2, 2]
    options = {"urns": [URN], "alpha": alpha, "epsilon": epsilon}
    found = call(page, "lexurn.predict(a, b)", balls, options)
    wanted = references([URN], alpha=float(alpha), epsilon=epsilon)
    wanted = {name: rows(rule, balls) for name, rule in wanted.items()}
    assert difference(found, wanted) < 1e-9
    other = call(page, "lexurn.predict(a, b)", balls, options | {"epsilon": 0.5})
    assert difference(other, wanted) > 1e-3


def test_without_doubt_b_is_s_even_after_balls_that_are_impossible(page):
    balls = [0, 0, 0, 1, 1, 1, 2, 2]
    found = call(page, "lexurn.predict(a, {urns: [[0.5, 0.5, 0]], epsilon: 0})", balls)
    assert found["doubting"] == found["symmetrized"]
    assert not np.isnan(found["doubting"]).any()


def test_what_is_kept_from_earlier_calls_changes_nothing(page):
    urn = [0.6, 0.3, 0.1]
    balls = [0, 0, 1]
    first, changed, again = call(
        page,
        """(() => {
          const predict = (urn) => lexurn.predict(b, {urns: [urn], epsilon: 0.01});
          const first = structuredClone(predict(a));
          for (const rows of Object.values(predict(a))) rows.at(-1).fill(0); // the caller's own
          const again = predict(a);
          a.reverse(); // an urn may be changed in place
          return [first, predict(a), again];
        })()""",
        urn,
        balls,
    )
    assert first == again
    wanted = {name: rows(rule, balls) for name, rule in references([urn[::-1]]).items()}
    assert difference(changed, wanted) < 1e-9 and difference(first, wanted) > 0.1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"urns": [URN, [0.5, 0.2, 0.2]]}, "the shares of urn 2 must sum to 1, got 0.9; divide"),
        ({"urns": [[0.7, 0.4, -0.1]]}, "of urn 1 must be numbers of 0 or more, got -0.1"),
        ({"urns": [[0.5, 0.5, None]]}, "of urn 1 must be numbers of 0 or more, got null"),
        ({"urns": [["0.5", 0.5]]}, "the shares of urn 1 must be numbers of 0 or more, got 0.5"),
        ({"urns": [URN, [0.5, 0.5]]}, "same number of colours, but urn 1 has 3, and urn 2 has 2"),
        ({"urns": [[1 / 7] * 7]}, "urn 1 must have 1 to 6 colours, got 7"),
        ({"urns": []}, "urns must hold one urn or more, got none"),
        ({"balls": [0, 3]}, "balls must be whole numbers from 0 to 2, got 3"),
        ({"balls": [0, -1]}, "balls must be whole numbers from 0 to 2, got -1"),
        ({"balls": [0.5]}, "balls must be whole numbers from 0 to 2, got 0.5"),
        ({"balls": [None]}, "balls must be whole numbers from 0 to 2, got null"),
        ({"epsilon": 1.5}, "epsilon must be a number from 0 to 1, got 1.5"),
        ({"epsilon": -0.1}, "epsilon must be a number from 0 to 1, got -0.1"),
        ({"epsilon": None}, "epsilon must be a number from 0 to 1, got null"),
        ({"alpha": 0}, "alpha must be a number greater than 0, got 0"),
        ({"alpha": "1"}, "alpha must be a number greater than 0, got 1"),
    ],
)
def test_an_error_says_what_is_wrong(page, changed, message):
    options = {"urns": [URN], "epsilon": 0.01, "balls": [0, 1, 2]}
    assert error(page, "lexurn.predict(a.balls, a)", options) is None
    said = error(page, "lexurn.predict(a.balls, a)", options | changed)
    assert said.startswith("RangeError: ") and message in said
    assert error(page, "lexurn.predict(a.balls, a)", options) is None


@pytest.mark.parametrize(("n_urns", "max_ms"), [(16, 5), (256, 25)])
def test_a_ball_takes_milliseconds(page, n_urns, max_ms):
    balls = torch.randint(6, (60,), generator=generator(0, "balls")).tolist()
    took = call(
        page,
        """(() => {
          const start = performance.now();
          const options = {urns: b, epsilon: 0.01};
          for (let t = 1; t <= a.length; t += 1) lexurn.predict(a.slice(0, t), options);
          return (performance.now() - start) / a.length;
        })()""",
        balls,
        sampled_pool(6, n_urns, alpha=1.0),
    )
    print(f"{n_urns} urns: {took:.2f} ms per ball")
    assert took < max_ms


def blend(first, second):
    return lambda tokens: (0.5 * first(tokens).exp() + 0.5 * second(tokens).exp()).log()


@pytest.mark.parametrize("urns", [[URN], POOLS["five"], POOLS["sixteen of six"]])
@pytest.mark.parametrize("n_balls", [1, 2, 12, 60])
def test_places_on_the_map_are_those_of_the_library(page, urns, n_balls):
    n_colors = len(urns[0])
    balls = torch.randint(n_colors, (n_balls,), generator=generator(2, "balls")).tolist()
    rules = references(urns)
    rules["blend"] = blend(rules["generalizing"], rules["memorizing"])
    tokens = torch.tensor([[*balls, 0]])
    corners = plane.corners(rules, tokens)
    predictions = {name: rows(rule, balls).tolist() for name, rule in rules.items()}
    found = call(page, "lexurn.corners(a)", predictions)
    assert found.keys() == corners.keys() and difference(found, corners) < 1e-9
    places = {}
    for name, rule in rules.items():
        distances = plane.distances(rule, rules, tokens)
        found = call(page, "lexurn.distances(b, a)", predictions, predictions[name])
        assert difference(found, distances) < 1e-9
        path = plane.draw_map(corners, {"model": pd.DataFrame([distances])}).set_index("who")
        places[name] = path.loc["model", ["x", "y"]].tolist()
    each = "Object.fromEntries(b.map((name) => [name, lexurn.place(lexurn.distances("
    found = call(page, f"{each}a[name], a), lexurn.corners(a))]))", predictions, [*rules])
    assert difference(found, places) < 1e-9
    if n_balls > 2:
        with_row_0 = {name: [rule[0], *rule] for name, rule in predictions.items()}  # the fault
        assert difference(call(page, "lexurn.corners(a)", with_row_0), corners) > 1e-4


@pytest.mark.parametrize(
    ("urns", "balls"),
    [
        ([URN], []),  # before the first ball
        ([[1 / 3, 1 / 3, 1 / 3]], [0, 1, 1, 2]),  # M is S
        ([[0.5, 0.5, 0.0]], [0, 0, 1, 1]),  # infinitely far from G
    ],
)
def test_predictors_that_make_no_triangle_have_no_place(page, urns, balls):
    with pytest.raises(ValueError, match="no triangle"):
        plane.corners(references(urns), torch.tensor([[*balls, 0]]))
    predictions = call(page, "lexurn.predict(a, {urns: b, epsilon: 0.01})", balls, urns)
    assert call(page, "lexurn.corners(a)", predictions) is None
    own = "lexurn.place(lexurn.distances(a.doubting, a), lexurn.corners(a))"
    assert call(page, own, predictions) is None
    predictions["symmetrized"].append([0.5, 0.5, 0.0])
    assert "must have the same number of rows" in error(page, "lexurn.corners(a)", predictions)


def test_the_divergence_of_two_predictions_is_that_of_the_library(page):
    shares = [*sampled_pool(6, 8), *sampled_pool(6, 8, n_absent=2), [1.0, *[0.0] * 5]]
    found = call(page, "a.map((p) => a.map((q) => lexurn.symmetrizedKL(p, q)))", shares)
    log_probs = torch.tensor(shares, dtype=torch.float64).log()
    wanted = divergences.symmetrized_kl(log_probs[:, None], log_probs).numpy()
    assert np.isinf(wanted).any() and (wanted == 0).any()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def law(name, strings, max_length):
    """The law of the library: row -> token for each string; strings have one length."""
    tokens = torch.tensor([[FIRST_LETTER + LETTERS[name].index(x) for x in one] for one in strings])
    tokens = torch.nn.functional.pad(tokens.reshape(len(strings), -1), (0, 1), value=EOS)
    return oracle(name, max_length=max_length)(tokens).exp().numpy()


def draw_strings(name):
    """All short strings, drawn strings, and strings outside the language."""
    letters = LETTERS[name]
    yield from map("".join, itertools.product(letters, repeat={2: 8, 3: 5, 4: 4}[len(letters)]))
    draws = generator(5, "strings", name)
    tokens = LANGUAGES[name].sample(20, max_length=MAX_LENGTH, generator=draws)
    rng = np.random.default_rng(0)
    for string in LANGUAGES[name].decode(tokens):
        place = rng.integers(len(string))
        yield string
        yield string[:place] + rng.choice([*letters]) + string[place + 1 :] + string
        yield "".join(rng.choice([*letters], MAX_LENGTH + 8))


def compare(page, name, *, max_length, of=None):
    """The largest difference between the page's oracle and the one of the library for strings of
    at most `of` letters, by default `max_length`."""
    strings = sorted(draw_strings(name), key=len)
    run = "a.map((prompt) => lexurn.oracles[b](prompt, {max_length: c}))"
    found = iter(call(page, run, strings, name, max_length))
    return max(
        np.abs(list(itertools.islice(found, len(group))) - law(name, group, of or max_length)).max()
        for group in (list(group) for _, group in itertools.groupby(strings, key=len))
    )


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("max_length", [4, 7, MAX_LENGTH])
def test_oracles_in_the_page_are_those_of_the_library(page, name, max_length):
    assert compare(page, name, max_length=max_length) < 1e-9


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_oracle_of_another_length_is_another_one(page, name):
    assert compare(page, name, max_length=16, of=20) > 1e-3


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("baN", "1 / halves.length", "1"),
        ("abN", "next.push([plan, prior", "next.push([plan, weight"),
        ("bbaN", "inOrder(1, 0)", "inOrder(0, 1)"),
        ("dyck", "open.length < m", "open.length <= m"),
        ("cs_dyck", "isNested ? open.slice(-1) : open;", "open.slice(-1);"),
    ],
)
def test_a_fault_in_an_oracle_is_noticed(page, name, right, wrong):
    script = (SCRIPTS / "languages.js").read_text()
    assert script.count(right) == 1
    try:
        page.evaluate(f"window.right = lexurn.oracles; {script.replace(right, wrong)}")
        assert compare(page, name, max_length=MAX_LENGTH) > 1e-3
    finally:
        page.evaluate("lexurn.oracles = window.right; null")


def test_letters_are_those_of_the_library_and_others_are_refused(page):
    assert call(page, "lexurn.letters") == LETTERS
    assert call(page, "lexurn.encode('dyck', '([])')") == [3, 5, 6, 4]
    run = "lexurn.oracles[a](b, {max_length: c})"
    for name, prompt, message in [
        ("aNbN", "aacbc", "the language aNbN has the letters a and b, got c"),
        ("aNbNcN", "a d A", "the language aNbNcN has the letters a, b and c, got  , d, A"),
        ("dyck", "(x😀", "the language dyck has the letters (, ), [ and ], got x, 😀"),
    ]:
        assert error(page, run, name, prompt, 8) == f"RangeError: {message}"
    for max_length in (1, 7.5, None):
        said = f"the language aNbN has no strings of at most {json.dumps(max_length)} letters"
        assert said in error(page, run, "aNbN", "a", max_length)
    assert error(page, run, "aNbN", "a", 2) is None


@pytest.mark.parametrize("name", LANGUAGES)
def test_an_oracle_exists_for_the_shortest_strings_only(page, name):
    shortest = LANGUAGES[name].min_length
    run = "lexurn.oracles[a]('', {max_length: b})"
    assert error(page, run, name, shortest) is None
    assert "has no strings" in error(page, run, name, shortest - 1)
