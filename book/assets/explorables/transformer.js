/* The forward pass of the library's transformer with pre-norm: lexurn.models.transformer.

   A model is {heads, mlp, scale, n_colors, weights}. Its weights are little-endian half-precision numbers in
   base64, by the names that PyTorch gives them; rows of matrices follow each other. `tables` holds
   the embedding tables, which are also the read-out: probabilities are averaged over them. */
(() => {
  "use strict";
  const EPSILON = 1e-5; // of norms

  const decodeHalf = (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  };
  const decode = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return Float64Array.from({length: bytes.length / 2}, (_, i) =>
      decodeHalf(bytes[2 * i] | (bytes[2 * i + 1] << 8)));
  };

  /* The error function: 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (2n+1)!!, whose terms all have one sign. */
  const erf = (x) => {
    if (Math.abs(x) > 6) return Math.sign(x);
    let sum = x;
    let term = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  };
  const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
  const silu = (x) => x / (1 + Math.exp(-x));
  const ACTIVATIONS = {gated: gelu, gelu, swiglu: silu, relu: (x) => Math.max(x, 0)};

  const dot = (x, y, from = 0) => {
    let sum = 0;
    for (let i = 0; i < x.length; i += 1) sum += x[i] * y[from + i];
    return sum;
  };
  const add = (x, y) => x.map((value, i) => value + y[i]);
  const softmax = (logits) => {
    const largest = Math.max(...logits);
    const exps = logits.map((logit) => Math.exp(logit - largest));
    const total = exps.reduce((sum, e) => sum + e, 0);
    return exps.map((e) => e / total);
  };

  /* A function of balls that returns the probabilities of the next ball: row -> colour. Row t has
     seen the first t balls. */
  const transformer = ({heads, mlp, scale, n_colors: nColors, weights: texts}) => {
    const weights = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, decode(text)]));
    const width = weights.start.length;
    const split = (numbers) => Array.from({length: numbers.length / width}, (_, i) =>
      numbers.slice(i * width, (i + 1) * width));
    const isThere = (name) => `${name}.weight` in weights;

    const linear = (x, name) => {
      const matrix = weights[`${name}.weight`];
      const bias = weights[`${name}.bias`];
      return Float64Array.from({length: matrix.length / x.length}, (_, i) =>
        dot(x, matrix, i * x.length) + (bias ? bias[i] : 0));
    };
    const norm = (x, name) => { // LayerNorm has a bias, RMSNorm has none
      if (!isThere(name)) return x;
      const bias = weights[`${name}.bias`];
      const mean = bias ? x.reduce((sum, value) => sum + value, 0) / x.length : 0;
      const centred = x.map((value) => value - mean);
      const size = Math.sqrt(dot(centred, centred) / x.length + EPSILON);
      return centred.map((value, i) =>
        (value / size) * weights[`${name}.weight`][i] + (bias ? bias[i] : 0));
    };
    const attend = (x, name, past) => {
      const all = linear(x, `${name}.qkv`);
      const inner = all.length / 3;
      const size = inner / heads;
      past.push([all.slice(inner, 2 * inner), all.slice(2 * inner)]);
      const mixed = new Float64Array(inner);
      for (let from = 0; from < inner; from += size) {
        const query = all.slice(from, from + size);
        const shares = softmax(past.map(([key]) => dot(query, key, from) / Math.sqrt(size)));
        past.forEach(([, value], row) => {
          for (let i = from; i < from + size; i += 1) mixed[i] += shares[row] * value[i];
        });
      }
      return linear(mixed, `${name}.out`);
    };
    const transform = (x, name) => {
      const hidden = linear(x, `${name}.up`).map(ACTIVATIONS[mlp]);
      const gate = isThere(`${name}.gate`) ? linear(x, `${name}.gate`) : null;
      return linear(gate ? hidden.map((value, i) => value * gate[i]) : hidden, `${name}.down`);
    };

    const positions = weights.positions ? split(weights.positions) : null;
    const blocks = [];
    while (isThere(`backbone.blocks.${blocks.length}.attention.qkv`)) {
      blocks.push(`backbone.blocks.${blocks.length}`);
    }
    /* Rows are computed once: what a sequence shares with the last one is kept, keys and values too. */
    const predictorWith = (table) => {
      const pasts = blocks.map(() => []);
      const rows = [];
      let seen = [];
      return (balls) => {
        const differs = balls.findIndex((ball, i) => ball !== seen[i]);
        const nKept = (differs < 0 ? balls.length : differs) + 1;
        for (const kept of [rows, ...pasts]) kept.length = Math.min(kept.length, nKept);
        for (let row = rows.length; row <= balls.length; row += 1) {
          let x = row === 0 ? weights.start : table[balls[row - 1]];
          if (row > 0 && positions) x = add(x, positions[row - 1]);
          blocks.forEach((block, i) => {
            x = add(x, attend(norm(x, `${block}.attention_norm`), `${block}.attention`, pasts[i]));
            if (mlp !== "none") x = add(x, transform(norm(x, `${block}.mlp_norm`), `${block}.mlp`));
          });
          x = norm(x, "backbone.norm");
          rows.push(softmax(table.map((vector) => scale * dot(x, vector))));
        }
        seen = [...balls];
        return [...rows];
      };
    };
    const symbols = split(weights.tables);
    const predictors = Array.from({length: symbols.length / nColors}, (_, i) =>
      predictorWith(symbols.slice(i * nColors, (i + 1) * nColors)));
    return (balls) => {
      const all = predictors.map((predictor) => predictor(balls));
      return all[0].map((row, t) => row.map((_, v) =>
        all.reduce((sum, rows) => sum + rows[t][v], 0) / all.length));
    };
  };

  globalThis.lexurn = Object.assign(globalThis.lexurn || {}, {transformer, network: transformer});
})();
