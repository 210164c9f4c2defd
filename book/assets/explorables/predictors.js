/* Exact predictors for urns: what G, M, S and B_epsilon expect before every ball of a sequence; and
   the map of predictors, a triangle with the corners G, M and S.

   They are those of lexurn.predictors and lexurn.measures. Predictions are row -> colour; row t has
   seen the first t balls. Weights are logarithms, and in a likelihood no share is taken to be below
   FLOOR, so that 0 · ln 0 = 0. */
(() => {
  "use strict";
  const FLOOR = 1e-300;
  const MAX_COLORS = 6; // with which 256 urns take about two milliseconds per ball
  const CORNERS = ["generalizing", "memorizing", "symmetrized"];

  /* The number of elements of every subset of colours; subsets are bits of whole numbers. */
  const SIZES = new Uint8Array(1 << MAX_COLORS);
  for (let m = 1; m < SIZES.length; m += 1) SIZES[m] = SIZES[m >> 1] + (m & 1);

  /* Predictions, averaged with weights that are proportional to exp(logWeights). */
  const mix = (logWeights, rows) => {
    const largest = Math.max(...logWeights);
    const weights = logWeights.map((log) => Math.exp(log - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return rows[0].map((_, v) =>
      rows.reduce((sum, row, d) => sum + weights[d] * row[v], 0) / total);
  };

  /* G, from the number of balls of every colour. */
  const generalizing = (counts, alpha) => {
    const total = counts.reduce((sum, count) => sum + count + alpha, 0);
    return counts.map((count) => (count + alpha) / total);
  };

  const logLikelihood = (counts, logShares) =>
    counts.reduce((sum, count, v) => sum + count * logShares[v], 0);

  /* M: the mean of the urns, each weighted by how likely it makes the balls. */
  const memorizing = (counts, {urns, logs}) =>
    mix(logs.map((logShares) => logLikelihood(counts, logShares)), urns);

  /* What S expects under one urn, and ln Σ Π_i θ_π(i)^n_i, which runs over all renamings π.

     Counts n and shares θ must fall. The sums are over all ways to match colours i with shares k,
     and run over subsets m of the shares: `ahead[m]` matches m with the first colours, `behind[m]`
     matches the other shares with the other colours. All products are divided by that of the
     matching i = k, which is the largest, so that nothing underflows: see
     lexurn.predictors.permanents. */
  const sumRenamings = (counts, shares, logs) => {
    const size = counts.length;
    const all = (1 << size) - 1;
    const factors = new Float64Array(size * size); // their logarithms at first
    counts.forEach((count, i) => {
      const at = i * size;
      for (let k = i + 1; k < size; k += 1) {
        factors[at + k] = factors[at + k - 1] + (count - counts[k - 1]) * (logs[k] - logs[k - 1]);
      }
      for (let k = i - 1; k >= 0; k -= 1) {
        factors[at + k] = factors[at + k + 1] + (count - counts[k]) * (logs[k] - logs[k + 1]);
      }
    });
    for (let i = 0; i < factors.length; i += 1) factors[i] = Math.exp(factors[i]);

    const ahead = new Float64Array(all + 1);
    ahead[0] = 1;
    for (let m = 1; m <= all; m += 1) {
      const at = (SIZES[m] - 1) * size;
      for (let k = 0; k < size; k += 1) {
        if ((m >> k) & 1) ahead[m] += factors[at + k] * ahead[m ^ (1 << k)];
      }
    }
    const behind = new Float64Array(all + 1);
    behind[all] = 1;
    const expected = Array(size).fill(0);
    for (let m = all - 1; m >= 0; m -= 1) {
      const at = SIZES[m] * size;
      let share = 0;
      for (let k = 0; k < size; k += 1) {
        if ((m >> k) & 1) continue;
        const term = factors[at + k] * behind[m | (1 << k)];
        behind[m] += term;
        share += shares[k] * term;
      }
      expected[SIZES[m]] += ahead[m] * share / ahead[all];
    }
    return {expected, log: Math.log(ahead[all]) + logLikelihood(counts, logs)};
  };

  /* S: M of all renamings of all urns. It depends on the counts without their colours: results are
     kept, so that the same balls under other names cost nothing. */
  const symmetrized = (counts, {falling, known}) => {
    const order = counts.map((_, v) => v).sort((v, w) => counts[w] - counts[v]);
    const ranked = order.map((v) => counts[v]);
    const key = ranked.join();
    if (!known.has(key)) {
      const sums = falling.map(({shares, logs}) => sumRenamings(ranked, shares, logs));
      known.set(key, mix(sums.map(({log}) => log), sums.map(({expected}) => expected)));
    }
    return counts.map((_, v) => known.get(key)[order.indexOf(v)]);
  };

  const checkUrns = (urns) => {
    if (!urns.length) throw new RangeError("urns must hold one urn or more, got none");
    urns.forEach((urn, d) => {
      const name = `urn ${d + 1}`;
      if (!(urn.length >= 1 && urn.length <= MAX_COLORS)) {
        throw new RangeError(`${name} must have 1 to ${MAX_COLORS} colours, got ${urn.length}`);
      }
      if (urn.length !== urns[0].length) {
        throw new RangeError(`all urns must have the same number of colours, but urn 1 has `
          + `${urns[0].length}, and ${name} has ${urn.length}`);
      }
      const wrong = urn.findIndex((share) => !(Number.isFinite(share) && share >= 0));
      if (wrong >= 0) {
        throw new RangeError(
          `the shares of ${name} must be numbers of 0 or more, got ${urn[wrong]}`);
      }
      const sum = urn.reduce((total, share) => total + share, 0);
      if (!(Math.abs(sum - 1) < 1e-9)) {
        throw new RangeError(`the shares of ${name} must sum to 1, got ${+sum.toPrecision(10)}; `
          + "divide each share by this sum");
      }
    });
  };

  let pool = {}; // that of the last call
  const preparePool = (urns) => {
    const key = JSON.stringify(urns);
    if (key !== pool.key) {
      checkUrns(urns);
      const logOf = (urn) => urn.map((share) => Math.log(Math.max(share, FLOOR)));
      const sorted = urns.map((urn) => [...urn].sort((x, y) => y - x));
      const falling = sorted.map((shares) => ({shares, logs: logOf(shares)}));
      pool = {key, urns: urns.map((urn) => [...urn]), logs: urns.map(logOf), falling,
        known: new Map()};
    }
    return pool;
  };

  /* The probabilities of the next ball: name -> row -> colour.
     `doubting` is B_epsilon: S or, with the prior probability epsilon, G for the whole sequence. */
  const predict = (balls, {urns, alpha = 1, epsilon}) => {
    const prepared = preparePool(urns);
    const counts = urns[0].map(() => 0);
    const isBall = (ball) => Number.isInteger(ball) && ball >= 0 && ball < counts.length;
    const wrong = balls.findIndex((ball) => !isBall(ball));
    if (wrong >= 0) {
      throw new RangeError(
        `balls must be whole numbers from 0 to ${counts.length - 1}, got ${balls[wrong]}`);
    }
    if (!(Number.isFinite(alpha) && alpha > 0)) {
      throw new RangeError(`alpha must be a number greater than 0, got ${alpha}`);
    }
    if (!(Number.isFinite(epsilon) && epsilon >= 0 && epsilon <= 1)) {
      throw new RangeError(`epsilon must be a number from 0 to 1, got ${epsilon}`);
    }
    const rows = {generalizing: [], memorizing: [], symmetrized: [], doubting: []};
    let ofS = Math.log1p(-epsilon); // ln of the prior times the probability of the balls so far
    let ofG = Math.log(epsilon);
    for (let row = 0; row <= balls.length; row += 1) {
      const G = generalizing(counts, alpha);
      const S = symmetrized(counts, prepared);
      rows.generalizing.push(G);
      rows.memorizing.push(memorizing(counts, prepared));
      rows.symmetrized.push(S);
      rows.doubting.push(epsilon > 0 ? mix([ofS, ofG], [S, G]) : [...S]);
      if (row < balls.length) {
        ofS += Math.log(S[balls[row]]);
        ofG += Math.log(G[balls[row]]);
        counts[balls[row]] += 1;
      }
    }
    return rows;
  };

  /* ½ KL(p ‖ q) + ½ KL(q ‖ p) of two predictions, in nats; infinite where only one is 0. */
  const symmetrizedKL = (p, q) => p.reduce((sum, share, v) =>
    sum + (share === q[v] ? 0 : (share - q[v]) * (Math.log(share) - Math.log(q[v])) / 2), 0);

  /* The distance between two predictors, given their rows: the mean symmetrized KL over all rows
     but the first one, which has seen no ball. NaN if there is no other row. */
  const distance = (first, second) => {
    if (first.length !== second.length) {
      throw new RangeError("two predictors must have the same number of rows, got "
        + `${first.length} and ${second.length}`);
    }
    const sum = first.slice(1).reduce((total, p, t) => total + symmetrizedKL(p, second[t + 1]), 0);
    return sum / (first.length - 1);
  };

  /* The distances of a predictor to G, M and S, by their names, given its rows and theirs. */
  const distances = (rows, references) =>
    Object.fromEntries(CORNERS.map((name) => [name, distance(rows, references[name])]));

  /* The places [x, y] of G, M and S on the map, given their rows: G at 0, and M to its right.
     Squared lengths are distances. Null if G, M and S make no triangle. */
  const corners = (references) => {
    const {memorizing: gToM, symmetrized: gToS} = distances(references.generalizing, references);
    const mToS = distance(references.memorizing, references.symmetrized);
    const right = Math.sqrt(gToM);
    const x = (gToS + gToM - mToS) / (2 * right);
    if (!(gToS - x ** 2 > 1e-9 * gToM)) return null; // no more than rounding, or no number
    return {generalizing: [0, 0], memorizing: [right, 0],
      symmetrized: [x, Math.sqrt(gToS - x ** 2)]};
  };

  /* The place [x, y] of a predictor on the map, given its distances to G, M and S. It is the foot
     of the perpendicular from where these distances lead in space. Null if there is no map. */
  const place = ({generalizing: g, memorizing: m, symmetrized: s}, places) => {
    if (places === null) return null;
    const [right] = places.memorizing;
    const [xOfS, yOfS] = places.symmetrized;
    const x = (g - m + right ** 2) / (2 * right);
    return [x, ((g - s + xOfS ** 2 + yOfS ** 2) / 2 - x * xOfS) / yOfS];
  };

  globalThis.lexurn = Object.assign(globalThis.lexurn || {},
    {predict, symmetrizedKL, distance, distances, corners, place});
})();
