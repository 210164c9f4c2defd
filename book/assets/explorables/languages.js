/* Oracles of formal languages: the exact law of the next token under each generator.

   Every generator of lexurn.generators.languages draws a plan, such as the number of a's and of
   b's, and then writes a string by this plan, letter by letter. The oracle is Bayes over the plans:
   it mixes what they expect, each weighted by its probability given the letters so far. This gives
   the numbers of lexurn.predictors.grammars. */
(() => {
  "use strict";
  const EOS = 1;
  const FIRST_LETTER = 3; // tokens are those of the library: SOS, EOS, PAD, and then the letters

  const range = (first, last) =>
    Array.from({length: Math.max(last - first + 1, 0)}, (_, i) => first + i);

  /* Plans for strings of at most `maxLength` letters: [plan, prior up to a factor]. */
  const withEqualPriors = (plans) => plans.map((plan) => [plan, 1]);
  const equalCounts = (nLetters) => (maxLength) => withEqualPriors(
    range(1, Math.floor(maxLength / nLetters)).map((count) => Array(nLetters).fill(count)));
  const equalCountsOfTwo = (maxLength) => withEqualPriors(
    range(1, Math.floor(maxLength / 2)).flatMap((n) => [[n, n, 0, 0], [0, 0, n, n]]));
  const fixedLength = (maxLength) => withEqualPriors(
    range(1, maxLength - 3).map((count) => [count, maxLength - 2 - count]));
  const evenCounts = (maxLength) => range(1, maxLength).flatMap((length) => {
    const halves = range(0, Math.floor((length - 1) / 2));
    return halves.map((half) => [[2 * half, length - 2 * half], 1 / halves.length]);
  });
  const evenLengths = (maxLength) => withEqualPriors(
    range(1, Math.floor(maxLength / 2)).map((half) => 2 * half));

  /* Laws: a prefix, and then a plan -> the weight of every letter. Without any, the string ends. */
  const inAnyOrder = (prefix) => {
    const counts = [0, 1, 2, 3].map((letter) => prefix.filter((seen) => seen === letter).length);
    return (plan) => plan.map((count, letter) => count - counts[letter]);
  };
  const inOrder = (...order) => (prefix) => {
    const countLeft = inAnyOrder(prefix);
    return (plan) => {
      const left = countLeft(plan);
      const next = order.find((letter) => left[letter] > 0);
      return left.map((_, letter) => Number(letter === next));
    };
  };
  const bThenAnyOrder = (prefix) => prefix.length ? inAnyOrder(prefix) : () => [0, 1];

  /* Brackets: even letters open, odd letters close. All brackets that may follow are equally
     probable. A plan is a number m: brackets open while the letters so far and the open brackets
     are fewer than m together. A nested string ends as soon as nothing is open. */
  const brackets = ({nTypes, isNested}) => (prefix) => {
    const open = [];
    for (const letter of prefix) {
      if (letter % 2 === 0) open.push(letter);
      else open.splice(open.lastIndexOf(letter - 1), 1);
    }
    const isOver = isNested && prefix.length > 0 && open.length === 0;
    const closable = isNested ? open.slice(-1) : open;
    return (m) => range(0, 2 * nTypes - 1).map((letter) => Number(letter % 2 === 0
      ? !isOver && prefix.length + open.length < m
      : closable.includes(letter - 1)));
  };

  const LANGUAGES = { // name: [letters, plans, law]
    baN: ["ab", evenCounts, bThenAnyOrder],
    bbaN: ["ab", evenCounts, inOrder(1, 0)],
    aNbN: ["ab", equalCounts(2), inOrder(0, 1)],
    dyck: ["()[]", evenLengths, brackets({nTypes: 2, isNested: true})],
    aNbNcN: ["abc", equalCounts(3), inOrder(0, 1, 2)],
    cs_dyck: ["()[]", evenLengths, brackets({nTypes: 2, isNested: false})],
    abN: ["ab", equalCounts(2), inAnyOrder],
    aNbM: ["ab", fixedLength, inOrder(0, 1)],
    parentheses: ["()", evenLengths, brackets({nTypes: 1, isNested: true})],
    brackets: ["[]", evenLengths, brackets({nTypes: 1, isNested: true})],
    aNbN_cNdN: ["abcd", equalCountsOfTwo, inOrder(0, 1, 2, 3)],
  };
  const letters = Object.fromEntries(
    Object.entries(LANGUAGES).map(([name, [alphabet]]) => [name, alphabet]));

  /* The tokens of a prompt such as "aab". */
  const encode = (name, prompt) => {
    const known = [...letters[name]];
    const foreign = [...new Set(prompt)].filter((letter) => !known.includes(letter));
    if (foreign.length) {
      throw new RangeError(`the language ${name} has the letters ${known.slice(0, -1).join(", ")} `
        + `and ${known.at(-1)}, got ${foreign.join(", ")}`);
    }
    return Array.from(prompt, (letter) => FIRST_LETTER + known.indexOf(letter));
  };

  /* The probabilities of the next token of strings of at most `max_length` letters: row -> token.
     Row t has seen the first t letters of the prompt. SOS and PAD have probability 0. If no string
     begins with these letters, all letters and EOS are equally probable. */
  const oracle = (name) => (prompt, {max_length: maxLength}) => {
    const [alphabet, makePlans, law] = LANGUAGES[name];
    const sequence = encode(name, prompt).map((token) => token - FIRST_LETTER);
    let plans = Number.isInteger(maxLength) ? makePlans(maxLength) : [];
    if (plans.length === 0) {
      throw new RangeError(`the language ${name} has no strings of at most ${maxLength} letters; `
        + "use a larger whole number as max_length");
    }
    return range(0, sequence.length).map((row) => {
      const weigh = law(sequence.slice(0, row));
      const probs = Array(FIRST_LETTER + alphabet.length).fill(0);
      const next = []; // the plans that go on with the next letter
      for (const [plan, prior] of plans) {
        const weights = weigh(plan);
        const sum = weights.reduce((x, y) => x + y, 0);
        if (sum === 0) probs[EOS] += prior;
        else weights.forEach((w, letter) => { probs[FIRST_LETTER + letter] += prior * w / sum; });
        const weight = weights[sequence[row]];
        if (weight > 0) next.push([plan, prior * weight / sum]);
      }
      const total = probs.reduce((x, y) => x + y, 0);
      plans = next.map(([plan, weight]) => [plan, weight / total]);
      if (total > 0) return probs.map((p) => p / total);
      return probs.map((_, token) =>
        Number(token === EOS || token >= FIRST_LETTER) / (alphabet.length + 1));
    });
  };
  const oracles = Object.fromEntries(Object.keys(LANGUAGES).map((name) => [name, oracle(name)]));

  globalThis.lexurn = Object.assign(globalThis.lexurn || {}, {letters, encode, oracles});
})();
