/* The transformer of the library, with all norms, placements, MLPs and rotary positions:
   lexurn.models.transformer. */
(() => {
  "use strict";
  const {add, layersOf, silu, softmax} = lexurn.layers;

  /* The error function: 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (2n+1)!!, a sum of one sign. */
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
  const relu = (x) => Math.max(x, 0);
  const ACTIVATIONS = {gated: gelu, swiglu: silu, gelu, relu};

  /* Rotate every head of a query or a key, in place: the pairs (x_j, x_{j + size/2}). */
  const rotate = (x, size, position) => {
    const half = size / 2;
    for (let from = 0; from < x.length; from += size) {
      for (let j = 0; j < half; j += 1) {
        const angle = position / 10000 ** (j / half);
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const [first, second] = [x[from + j], x[from + half + j]];
        x[from + j] = first * cos - second * sin;
        x[from + half + j] = first * sin + second * cos;
      }
    }
  };

  const transformer = (weights, settings) => {
    const {linear, norm} = layersOf(weights);
    const {n_layers: nLayers, n_heads: nHeads, norm_placement: placement} = settings;
    const activation = ACTIVATIONS[settings.mlp];
    const firstTokenRow = settings.bos ? 1 : 0;
    const nPost = {post: nLayers, mix: Math.floor(nLayers / 4)}[placement] || 0;

    /* `past` holds the key and the value of each row so far. */
    const attend = (x, name, past, row) => {
      const all = linear(x, `${name}.qkv`);
      const width = all.length / 3;
      const size = width / nHeads;
      const query = all.subarray(0, width);
      const key = all.subarray(width, 2 * width);
      past[row] = {key, value: all.subarray(2 * width)};
      if (settings.positions === "rotary") {
        for (const rotated of [query, key]) rotate(rotated, size, Math.max(row - firstTokenRow, 0));
      }
      const mixed = new Float64Array(width);
      const scores = new Float64Array(row + 1);
      for (let from = 0; from < width; from += size) {
        for (let t = 0; t <= row; t += 1) {
          const other = past[t].key;
          let score = 0;
          for (let i = from; i < from + size; i += 1) score += query[i] * other[i];
          scores[t] = score / Math.sqrt(size);
        }
        const shares = softmax(scores);
        for (let t = 0; t <= row; t += 1) {
          const {value} = past[t];
          for (let i = from; i < from + size; i += 1) mixed[i] += shares[t] * value[i];
        }
      }
      return linear(mixed, `${name}.out`);
    };
    const transform = (x, name) => {
      const hidden = linear(x, `${name}.up`);
      const gate = `${name}.gate.weight` in weights ? linear(x, `${name}.gate`) : null;
      for (let i = 0; i < hidden.length; i += 1) {
        hidden[i] = activation(hidden[i]) * (gate ? gate[i] : 1);
      }
      return linear(hidden, `${name}.down`);
    };
    /* x + f(x), with norms by the placement; a norm that a block lacks is the identity. */
    const residualSum = (x, f, name, isPost) => {
      if (isPost) return norm(add(x, f(x)), `${name}_norm`);
      return add(x, norm(f(norm(x, `${name}_norm`)), `${name}_out_norm`));
    };

    return () => {
      const pasts = Array.from({length: nLayers}, () => []);
      return (input, row) => {
        let x = input;
        pasts.forEach((past, i) => {
          const block = `backbone.blocks.${i}`;
          const attention = (y) => attend(y, `${block}.attention`, past, row);
          x = residualSum(x, attention, `${block}.attention`, i < nPost);
          const mlp = (y) => transform(y, `${block}.mlp`);
          if (activation) x = residualSum(x, mlp, `${block}.mlp`, i < nPost);
        });
        return norm(x, "backbone.norm");
      };
    };
  };

  Object.assign(lexurn.backbones, {transformer});
})();
