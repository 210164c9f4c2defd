"""A rational learner: a Bayes mixture over the subsets of a language's two rules.

The hypotheses are the strings that obey both rules, the first rule, the second rule, or no rule.
Under each hypothesis, the length of a string has the law of the language, and all strings of this
length that obey the rules are equally probable. A hypothesis S of k rules has the prior weight
2^(−k · bits). After n strings of the language, which count as they do on average, and after the
prefix x, its log weight is, up to a constant,

    ln w_S(x) = −k_S bits ln 2 − n E_l[ln N_S(l)] + ln p_S(x)

where N_S(l) is the number of strings of l letters that obey S. The fewer strings a rule allows, the
more every string of the language supports it. After a prefix of no string of the language, the
rules that it has not broken decide. Source: Mészáros et al. 2024 (arXiv 2409.13728), section 6.
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache, reduce
from math import inf, log

import numpy as np
import torch

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.chapters.rules.string_probs import length_probs
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER, Rule, force_padding
from lexurn.predictors.grammars import CountingOracle, oracle

ALL_STRINGS = Rule("any string", None, lambda state, read: None, lambda state: True)


def intersection(first: Rule, second: Rule) -> Rule:
    """Return a rule that requires what both require; its state is the pair of their states."""
    return Rule(
        f"{first.text} and {second.text}",
        (first.start, second.start),
        lambda states, read: (first.step(states[0], read), second.step(states[1], read)),
        lambda states: first.accepts(states[0]) and second.accepts(states[1]),
    )


class Hypothesis:
    """The law under one hypothesis: lengths as in the language, then all accepted strings alike.

    `count(state, n)` is the number of ways to go from a state to acceptance by n letters.
    `mass(state, n)` is the probability of one prefix of n letters that leads to a state.
    """

    def __init__(self, automaton: Rule, n_letters: int, length_probs: np.ndarray):
        self.automaton = automaton
        self.letters = range(n_letters)
        self.count = cache(self._count)
        self.mass = cache(self._mass)
        self.next_masses = cache(self._next_masses)
        n_strings = [self.count(automaton.start, length) for length in range(len(length_probs))]
        pairs = list(zip(length_probs, n_strings, strict=True))
        self.string_probs = [p / n if n else 0.0 for p, n in pairs]  # by length
        self.mean_log_count = sum(p * log(n) for p, n in pairs if p and n)

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

    Raises ValueError for a language with one rule, or with bracket rules, whose string lengths have
    no closed form.
    """

    def __init__(
        self, name: str, *, max_length: int, n_strings: int | float, bits: int | float = 8.0
    ):
        exact = oracle(name, max_length=max_length)
        language = LANGUAGES[name]
        if not isinstance(exact, CountingOracle) or len(language.rules) < 2:
            raise ValueError(
                f"there is no normative predictor for {name}; use baN, bbaN, aNbN or aNbNcN"
            )
        self.vocab_size = language.vocab_size
        self.letters = language.letters
        first, second = language.rules
        self.automaton = intersection(first, second)
        self.hypotheses = [
            Hypothesis(automaton, len(self.letters), length_probs(exact))
            for automaton in (self.automaton, first, second, ALL_STRINGS)
        ]
        self.log_priors = [
            -bits * log(2) * n_rules - n_strings * hypothesis.mean_log_count
            for n_rules, hypothesis in zip((2, 1, 1, 0), self.hypotheses, strict=True)
        ]
        self.law = cache(self._law)

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.vocab_size)
        laws = [list(map(self.law, self._states(row), range(len(row)))) for row in tokens.tolist()]
        log_probs = torch.full((*tokens.shape, self.vocab_size), -torch.inf, dtype=torch.float64)
        letters_and_eos = [*range(FIRST_LETTER, self.vocab_size), EOS]
        log_probs[..., letters_and_eos] = torch.tensor(laws, dtype=torch.float64).log()
        return force_padding(log_probs, tokens)

    def weights(self, prefix: str) -> dict[str, float]:
        """Return the posterior weights of `both`, `rule_1`, `rule_2` and `none` after a prefix."""
        state = reduce(self.automaton.step, map(self.letters.index, prefix), self.automaton.start)
        weights = self._weights(state, len(prefix)).tolist()
        return dict(zip(("both", "rule_1", "rule_2", "none"), weights, strict=True))

    def _states(self, tokens: Sequence[int]) -> Iterator[Hashable]:
        """Yield the state at each row, before its token; None after a token that is no letter."""
        state = self.automaton.start
        for token in tokens:
            yield state
            is_known = state is not None and FIRST_LETTER <= token < self.vocab_size
            state = self.automaton.step(state, token - FIRST_LETTER) if is_known else None

    def _weights(self, state: Hashable, n_seen: int) -> np.ndarray:
        states = (state, *state, None)
        masses = [h.mass(s, n_seen) for h, s in zip(self.hypotheses, states, strict=True)]
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
            states = (state, *state, None)
            for weight, hypothesis, own in zip(weights, self.hypotheses, states, strict=True):
                if weight:
                    next_masses = np.array(hypothesis.next_masses(own, n_seen))
                    law += weight * next_masses / hypothesis.mass(own, n_seen)
        return tuple(law / law.sum() if law.sum() > 0 else np.full(len(law), 1 / len(law)))
