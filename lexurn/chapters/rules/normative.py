"""A rational learner: a Bayes mixture over hypotheses about which rules strings obey.

Those of the source are that strings obey both rules of a language, the first rule, the second rule,
or no rule; others can be given. Under each hypothesis, the length of a string has a given law,
usually that of the language, and all strings of this length that obey the rules are equally
probable. A hypothesis S of k rules has the prior weight 2^(−k · bits). After n strings of the
language, which count as they do on average, after other strings s, and after the prefix x, its log
weight is, up to a constant,

    ln w_S(x) = −k_S bits ln 2 − n E_l[ln N_S(l)] + Σ_s ln p_S(s) + ln p_S(x)

where N_S(l) is the number of strings of l letters that obey S. The fewer strings a rule allows, the
more every string of the language supports it. After a prefix of no string of the language, the
rules that it has not broken decide. Source: Mészáros et al. 2024 (arXiv 2409.13728), section 6.
"""

import copy
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import chain
from math import inf, log

import numpy as np
import torch

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.chapters.rules.string_probs import length_probs
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import (
    EOS,
    FIRST_LETTER,
    Rule,
    all_of,
    force_padding,
    to_letters,
)
from lexurn.predictors.grammars import CountingOracle, oracle

EVEN_LENGTH = Rule(
    "an even number of letters",
    0,
    lambda parity, read: parity ^ (read >= 0),
    lambda parity: parity == 0,
)

LIKE_FIRST_RUN = Rule(
    "as many b's as a's before the first b",
    (0, 1),
    lambda state, read: (
        state[0] + state[1] * (read == 0) - 1 * (read == 1),
        state[1] * (read != 1),
    ),
    lambda state: state[0] == 0,
)
"""Its state is the a's before the first b minus the b's, and whether no b was read yet."""


def opposite(rule: Rule) -> Rule:
    """Return the rule that the strings obey which do not obey `rule`."""
    return Rule(f"not: {rule.text}", rule.start, rule.step, lambda state: rule.accepts(state) == 0)


Hypotheses = Mapping[str, Sequence[Rule]]
"""The rules that strings obey under each hypothesis, by its name."""


def rule_subsets(name: str) -> dict[str, tuple[Rule, ...]]:
    """Return the hypotheses `both`, `rule_1`, `rule_2` and `none` of a language with two rules."""
    first, second = LANGUAGES[name].rules
    return {"both": (first, second), "rule_1": (first,), "rule_2": (second,), "none": ()}


class Hypothesis:
    """The law under one hypothesis: a length that has strings, then all accepted strings alike.

    `count(state, n)` is the number of ways to go from a state to acceptance by n letters.
    `mass(state, n)` is the probability of one prefix of n letters that leads to a state.
    """

    def __init__(self, automaton: Rule, n_letters: int, length_probs: np.ndarray):
        self.automaton = automaton
        self.letters = range(n_letters)
        self.count = cache(self._count)
        self.mass = cache(self._mass)
        self.next_masses = cache(self._next_masses)
        lengths = range(len(length_probs))
        self.n_strings = [self.count(automaton.start, length) for length in lengths]
        pairs = list(zip(length_probs, self.n_strings, strict=True))
        total = sum(p for p, n in pairs if n)
        self.string_probs = [p / total / n if n else 0.0 for p, n in pairs]  # by length

    def _count(self, state: Hashable, n: int) -> int:
        if n == 0:
            return int(self.automaton.accepts(state))
        return sum(self.count(self.automaton.step(state, letter), n - 1) for letter in self.letters)

    def _mass(self, state: Hashable, n_seen: int) -> float:
        masses = (
            p * self.count(state, length - n_seen)
            for length, p in enumerate(self.string_probs)
            if length >= n_seen and p
        )
        return sum(masses, 0.0)

    def _next_masses(self, state: Hashable, n_seen: int) -> tuple[float, ...]:
        """Return the mass of the prefix with each letter added, and with EOS added."""
        next_states = [self.automaton.step(state, letter) for letter in self.letters]
        can_end = n_seen < len(self.string_probs) and self.automaton.accepts(state)
        end_mass = self.string_probs[n_seen] if can_end else 0.0
        return (*(self.mass(next_state, n_seen + 1) for next_state in next_states), end_mass)


class Normative:
    """The mixture after `n_strings` training strings, with `bits` per rule, as a predictor.

    `hypotheses` are by default the `rule_subsets`. `lengths` are the probabilities of strings of 0,
    1, … letters, by default those of the language. Raises ValueError for a language with one rule,
    or with bracket rules, whose string lengths have no closed form.
    """

    def __init__(
        self,
        name: str,
        *,
        max_length: int,
        n_strings: int | float,
        bits: int | float = 8.0,
        hypotheses: Hypotheses | None = None,
        lengths: np.ndarray | None = None,
    ):
        exact = oracle(name, max_length=max_length)
        language = LANGUAGES[name]
        if not isinstance(exact, CountingOracle) or len(language.rules) < 2:
            raise ValueError(
                f"there is no normative predictor for {name}; use baN, bbaN, aNbN or aNbNcN"
            )
        self.vocab_size = language.vocab_size
        self.letters = language.letters
        self.max_length = max_length
        self.first_rule = language.rules[0]
        self.rule_sets = dict(hypotheses or rule_subsets(name))
        # the first rule comes first in the state, so that it can be judged
        rules = [*dict.fromkeys([self.first_rule, *chain(*self.rule_sets.values())])]
        self.automaton = all_of("all rules", *rules)
        self.places = [tuple(map(rules.index, each)) for each in self.rule_sets.values()]
        own_lengths = length_probs(exact)
        lengths = own_lengths if lengths is None else lengths
        options = {"n_letters": len(self.letters), "length_probs": lengths}
        n_members = Hypothesis(all_of("", *language.rules), **options).n_strings
        self.hypotheses = []
        self.log_priors = []
        for each in self.rule_sets.values():
            hypothesis = Hypothesis(all_of("", *each), **options)
            pairs = list(zip(own_lengths, hypothesis.string_probs, strict=True))
            evidence = n_strings * sum(p * log(of_one) for p, of_one in pairs if p and of_one)
            common = Hypothesis(all_of("", *language.rules, *each), **options)
            if n_strings and common.n_strings != n_members:  # it excludes strings of the language
                evidence = -inf
            self.hypotheses.append(hypothesis)
            self.log_priors.append(evidence - bits * log(2) * len(each))
        self._forget()

    def _forget(self) -> None:
        """Start the caches of what depends on the weights of the hypotheses."""
        self.law = cache(self._law)
        self._keeps = cache(self._keeps_rule_1)

    def after(self, strings: Tokens) -> "Normative":
        """Return the learner that has also seen these strings (batch time)."""
        learner = copy.copy(self)
        learner.log_priors = list(self.log_priors)
        learner._forget()
        for letters in to_letters(strings, n_letters=len(self.letters)).tolist():
            string = [letter for letter in letters if letter >= 0]
            state = reduce(self.automaton.step, string, self.automaton.start)
            for number, (hypothesis, own) in enumerate(self._own_states(state)):
                p = hypothesis.next_masses(own, len(string))[-1]
                learner.log_priors[number] += log(p) if p else -inf
        return learner

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.vocab_size)
        laws = [list(map(self.law, self._states(row), range(len(row)))) for row in tokens.tolist()]
        log_probs = torch.full((*tokens.shape, self.vocab_size), -torch.inf, dtype=torch.float64)
        letters_and_eos = [*range(FIRST_LETTER, self.vocab_size), EOS]
        log_probs[..., letters_and_eos] = torch.tensor(laws, dtype=torch.float64).log()
        return force_padding(log_probs, tokens)

    def weights(self, prefix: str) -> dict[str, float]:
        """Return the posterior weights of the hypotheses after a prefix, by name."""
        weights = self._weights(self._state(prefix), len(prefix)).tolist()
        return dict(zip(self.rule_sets, weights, strict=True))

    def keeps_rule_1(self, prompt: str) -> float:
        """Return the probability that a sampled completion of a prompt ends and obeys rule 1."""
        return self._keeps(self._state(prompt), len(prompt))

    def _keeps_rule_1(self, state: Hashable, n_seen: int) -> float:
        *of_letters, of_end = self.law(state, n_seen)
        kept = of_end * bool(self.first_rule.accepts(state[0]))
        if n_seen < self.max_length:
            for letter, p in enumerate(of_letters):
                kept += p * self._keeps(self.automaton.step(state, letter), n_seen + 1) if p else 0
        return kept

    def _state(self, prefix: str) -> Hashable:
        return reduce(self.automaton.step, map(self.letters.index, prefix), self.automaton.start)

    def _own_states(self, state: tuple[Hashable, ...]) -> Iterator[tuple[Hypothesis, Hashable]]:
        """Yield each hypothesis with its own part of a state."""
        for hypothesis, places in zip(self.hypotheses, self.places, strict=True):
            yield hypothesis, tuple(state[place] for place in places)

    def _states(self, tokens: Sequence[int]) -> Iterator[Hashable]:
        """Yield the state at each row, before its token; None after a token that is no letter."""
        state = self.automaton.start
        for token in tokens:
            yield state
            is_known = state is not None and FIRST_LETTER <= token < self.vocab_size
            state = self.automaton.step(state, token - FIRST_LETTER) if is_known else None

    def _weights(self, state: Hashable, n_seen: int) -> np.ndarray:
        masses = [hypothesis.mass(own, n_seen) for hypothesis, own in self._own_states(state)]
        log_weights = np.array(
            [
                log_prior + log(mass) if mass > 0 else -inf
                for log_prior, mass in zip(self.log_priors, masses, strict=True)
            ]
        )
        if not np.isfinite(log_weights).any():
            return np.zeros(len(log_weights))
        return np.exp(log_weights - np.logaddexp.reduce(log_weights))

    def _law(self, state: Hashable, n_seen: int) -> tuple[float, ...]:
        """Return the probabilities of letters and EOS, uniform if all hypotheses exclude the
        prefix."""
        law = np.zeros(len(self.letters) + 1)
        if state is not None:
            weights = self._weights(state, n_seen)
            for weight, (hypothesis, own) in zip(weights, self._own_states(state), strict=True):
                if weight:
                    next_masses = np.array(hypothesis.next_masses(own, n_seen))
                    law += weight * next_masses / hypothesis.mass(own, n_seen)
        return tuple(law / law.sum() if law.sum() > 0 else np.full(len(law), 1 / len(law)))
