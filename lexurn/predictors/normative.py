"""What a rational learner would go on with: a Bayes mixture over the subsets of a language's two rules.

The hypotheses are the words that obey both rules, the first, the second, or none. Under each, a word has a length drawn
as in the language, and is any of the words of this length that obey the rules, all alike. Beforehand a hypothesis of k
rules weighs 2^(−k · bits); n words of the language then count as they do on average,

    ln w_S(x) = −k_S bits ln 2 − n E_l[ln N_S(l)] + ln p_S(x),        N_S(l): words of l letters that obey S

up to what all have in common, where x is the word so far, which is judged by the same laws. The fewer words a rule
leaves, the more each word of the language speaks for it. After what no word of the language begins with, the rules that
remain are what is left to go by (after Mészáros et al. 2024, arXiv 2409.13728, section 6).
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from math import inf, log

import numpy as np
import torch

from lexurn.base.shapes import LogProbs, Tokens, check_tokens
from lexurn.generators.automata import EVERYTHING, Automaton, both
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST, padded
from lexurn.predictors.grammars import Counting, oracle


class Hypothesis:
    """Words that an automaton accepts: of each length as probable as in the language, and then all alike."""

    def __init__(self, automaton: Automaton, n_letters: int, lengths: np.ndarray):
        self.automaton, self.letters = automaton, range(n_letters)
        self.lengths = lengths
        self.count = cache(self._count)
        there = [self.count(automaton.start, length) for length in range(len(lengths))]
        self.each = [p / n if n else 0.0 for p, n in zip(lengths, there, strict=True)]
        self.log_words = sum(p * log(n) for p, n in zip(lengths, there, strict=True) if p and n)
        self.mass, self.law = cache(self._mass), cache(self._law)

    def _count(self, state: Hashable, n: int) -> int:
        """How many ways of n letters lead from a state to acceptance."""
        if n == 0:
            return int(self.automaton.accepts(state))
        return sum(self.count(self.automaton.step(state, letter), n - 1) for letter in self.letters)

    def _mass(self, state: Hashable, seen: int) -> float:
        """The probability of a prefix of so many letters that leads to a state."""
        ways = (
            each * self.count(state, n - seen)
            for n, each in enumerate(self.each)
            if n >= seen and each
        )
        return sum(ways, 0.0)

    def _law(self, state: Hashable, seen: int) -> tuple[float, ...]:
        """The mass of the prefix with each letter more, and with EOS."""
        after = [self.mass(self.automaton.step(state, letter), seen + 1) for letter in self.letters]
        ends = self.each[seen] if seen < len(self.each) and self.automaton.accepts(state) else 0.0
        return (*after, ends)


class Normative:
    """The mixture after `n_words` words, with `bits` for each rule; it predicts as an oracle does.

    Raises ValueError for a language whose lengths have no closed form (brackets), or with one rule.
    """

    def __init__(
        self, name: str, *, max_length: int, n_words: int | float, bits: int | float = 8.0
    ):
        exact, language = oracle(name, max_length=max_length), LANGUAGES[name]
        if not isinstance(exact, Counting) or len(language.rules) < 2:
            raise ValueError(
                f"there is no normative predictor for {name}; there is for baN, bbaN, aNbN and aNbNcN"
            )
        self.vocab_size, self.letters, self.n_letters = (
            language.vocab_size,
            language.letters,
            len(language.letters),
        )
        first, second = (rule.automaton for rule in language.rules)
        self.automaton = both(first, second)
        lengths, automata = exact.lengths(), (self.automaton, first, second, EVERYTHING)
        self.hypotheses = [Hypothesis(each, self.n_letters, lengths) for each in automata]
        n_rules = (2, 1, 1, 0)
        self.prior = [
            -bits * log(2) * k - n_words * each.log_words
            for k, each in zip(n_rules, self.hypotheses, strict=True)
        ]
        self.law = cache(self._law)

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.vocab_size)
        rows = [
            [self.law(state, seen) for seen, state in enumerate(self._states(row))]
            for row in tokens.tolist()
        ]
        found = torch.full((*tokens.shape, self.vocab_size), -torch.inf, dtype=torch.float64)
        found[..., [*range(FIRST, self.vocab_size), EOS]] = torch.tensor(
            rows, dtype=torch.float64
        ).log()
        return padded(found, tokens)

    def weights(self, word: str) -> dict[str, float]:
        """Of each hypothesis, given the letters so far: `both`, `rule_1`, `rule_2`, `none`."""
        *_, state = self._states([FIRST + self.letters.index(letter) for letter in word] + [FIRST])
        return dict(
            zip(
                ("both", "rule_1", "rule_2", "none"),
                self._weights(state, len(word)).tolist(),
                strict=True,
            )
        )

    def _states(self, tokens: Sequence[int]) -> Iterator[Hashable]:
        """The state at each row, before its token; None from a foreign token on."""
        state = self.automaton.start
        for token in tokens:
            yield state
            known = state is not None and FIRST <= token < self.vocab_size
            state = self.automaton.step(state, token - FIRST) if known else None

    def _weights(self, state: Hashable, seen: int) -> np.ndarray:
        masses = [
            each.mass(of, seen)
            for each, of in zip(self.hypotheses, (state, *state, None), strict=True)
        ]
        logs = np.array(
            [
                prior + log(mass) if mass > 0 else -inf
                for prior, mass in zip(self.prior, masses, strict=True)
            ]
        )
        return (
            np.exp(logs - np.logaddexp.reduce(logs))
            if np.isfinite(logs).any()
            else np.zeros(len(logs))
        )

    def _law(self, state: Hashable, seen: int) -> tuple[float, ...]:
        """Of letters and EOS; all alike where no hypothesis has words that begin so."""
        law = np.zeros(self.n_letters + 1)
        if state is not None:
            of = zip(
                self._weights(state, seen), self.hypotheses, (state, *state, None), strict=True
            )
            for weight, each, own in of:
                if weight:
                    law += weight * np.array(each.law(own, seen)) / each.mass(own, seen)
        return tuple(law / law.sum() if law.sum() > 0 else np.full(len(law), 1 / len(law)))
