/* Exact predictors for urns: what G, M, S and B_epsilon expect before every ball of a sequence.

   They are those of lexurn.predictors: the sums of S run over all renamings of the colours, weights
   are logarithms, and no share is taken to be below FLOOR, so that 0 · ln 0 = 0. */
(() => {
  "use strict";
  const FLOOR = 1e-300;
  const MAX_COLORS = 4;

  /* All orders of 0 … size − 1. */
  const orders = (size) => {
    if (size === 0) return [[]];
    return orders(size - 1).flatMap((order) =>
      Array.from({length: size}, (_, place) =>
        [...order.slice(0, place), size - 1, ...order.slice(place)]));
  };

  /* ln Σ exp(x), also where all x are −∞. */
  const logSum = (values) => {
    const largest = Math.max(...values);
    if (largest === -Infinity) return -Infinity;
    return largest + Math.log(values.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  };

  /* G, from the number of balls of every colour. */
  const generalizing = (counts, alpha) => {
    const total = counts.reduce((sum, count) => sum + count + alpha, 0);
    return counts.map((count) => (count + alpha) / total);
  };

  /* M: the mean of the urns, each weighed by how likely it makes the balls. */
  const memorizing = (counts, urns) => {
    const logs = urns.map((urn) =>
      urn.reduce((sum, share, v) => sum + counts[v] * Math.log(Math.max(share, FLOOR)), 0));
    const total = logSum(logs);
    return counts.map((_, v) =>
      urns.reduce((sum, urn, d) => sum + Math.exp(logs[d] - total) * urn[v], 0));
  };

  /* Every renaming of every urn. M of these urns is S. */
  const renamings = (urns) => {
    const all = orders(urns[0].length);
    return urns.flatMap((urn) => all.map((order) => order.map((v) => urn[v])));
  };

  /* The probabilities of the next ball: name -> row -> colour. Row t has seen the first t balls.
     `doubting` is B_epsilon: S or, with the prior probability epsilon, G for the whole sequence. */
  const predict = (balls, {urns, alpha = 1, epsilon}) => {
    const nColors = urns[0].length;
    if (nColors > MAX_COLORS) throw new RangeError(`at most ${MAX_COLORS} colours, got ${nColors}`);
    if (balls.some((ball) => !Number.isInteger(ball) || ball < 0 || ball >= nColors)) {
      throw new RangeError(`balls are whole numbers from 0 to ${nColors - 1}, got ${balls}`);
    }
    const renamed = renamings(urns);
    const counts = Array(nColors).fill(0);
    const rows = {generalizing: [], memorizing: [], symmetrized: [], doubting: []};
    let ofS = Math.log1p(-epsilon); // ln of the prior times the probability of the balls so far
    let ofG = Math.log(epsilon);
    for (let row = 0; row <= balls.length; row += 1) {
      const G = generalizing(counts, alpha);
      const S = memorizing(counts, renamed);
      const isFresh = Math.exp(ofG - logSum([ofS, ofG]));
      rows.generalizing.push(G);
      rows.memorizing.push(memorizing(counts, urns));
      rows.symmetrized.push(S);
      rows.doubting.push(S.map((p, v) => (1 - isFresh) * p + isFresh * G[v]));
      if (row < balls.length) {
        ofS += Math.log(S[balls[row]]);
        ofG += Math.log(G[balls[row]]);
        counts[balls[row]] += 1;
      }
    }
    return rows;
  };

  /* The distance of two predictors: symmetrized KL in nats, as a mean over rows. */
  const distance = (first, second) => first.reduce((sum, p, t) => sum + p.reduce((rest, _, v) => {
    const [a, b] = [Math.max(p[v], FLOOR), Math.max(second[t][v], FLOOR)];
    return rest + 0.5 * (a - b) * Math.log(a / b);
  }, 0), 0) / first.length;
  const corners = (G, M, S) => {
    const [toM, toS, between] = [distance(G, M), distance(G, S), distance(M, S)];
    const right = Math.sqrt(toM);
    const x = (toS + toM - between) / (2 * right);
    if (!(toS - x * x > 1e-9 * toM)) return null;
    return [[0, 0], [right, 0], [x, Math.sqrt(toS - x * x)]];
  };
  const place = ([g, m, s], [, [right], [top, height]]) => {
    const x = (g - m + right ** 2) / (2 * right);
    return [x, ((g - s + top ** 2 + height ** 2) / 2 - x * top) / height];
  };

  globalThis.lexurn = Object.assign(globalThis.lexurn || {}, {predict, distance, corners, place});
})();
