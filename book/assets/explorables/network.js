/* Trained models predict in the page: lexurn.models.language_model.

   A model is packed by lexurn.figures.packed_models. Its weights are little-endian half-precision
   numbers in base64, by the names that PyTorch gives them; rows of matrices follow each other.
   `tables` holds the embedding tables that probabilities are averaged over, one after the other.

   Each backbone is a function in a script of its own: lexurn.backbones.<name>(weights, settings)
   returns a function that begins a sequence, and that returns step(x, row), the output of the next
   row from its input. A step keeps what later rows need, so that rows can be computed again from
   any row on. */
(() => {
  "use strict";
  const SOS = 0;
  const EOS = 1;
  const PAD = 2;
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
    const bytes = atob(text);
    const numbers = new Float64Array(bytes.length / 2);
    for (let i = 0; i < numbers.length; i += 1) {
      numbers[i] = decodeHalf(bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8));
    }
    return numbers;
  };

  /* Layers map typed arrays to new ones. */
  const add = (x, y) => {
    const sum = x.slice();
    for (let i = 0; i < sum.length; i += 1) sum[i] += y[i];
    return sum;
  };
  const multiply = (matrix, x, bias) => {
    const product = bias ? bias.slice() : new Float64Array(matrix.length / x.length);
    for (let i = 0, from = 0; i < product.length; i += 1, from += x.length) {
      let sum = 0;
      for (let j = 0; j < x.length; j += 1) sum += matrix[from + j] * x[j];
      product[i] += sum;
    }
    return product;
  };
  const softmax = (logits) => {
    const exps = new Float64Array(logits.length);
    let largest = -Infinity;
    let total = 0;
    for (let i = 0; i < exps.length; i += 1) largest = Math.max(largest, logits[i]);
    for (let i = 0; i < exps.length; i += 1) {
      exps[i] = Math.exp(logits[i] - largest);
      total += exps[i];
    }
    for (let i = 0; i < exps.length; i += 1) exps[i] /= total;
    return exps;
  };
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const silu = (x) => x * sigmoid(x);

  /* The linear layers and the norms of a model, by the names of their weights. */
  const layersOf = (weights) => {
    const linear = (x, name) => multiply(weights[`${name}.weight`], x, weights[`${name}.bias`]);
    /* LayerNorm has a bias and RMSNorm has none; without a weight, this is the identity. */
    const norm = (x, name) => {
      const weight = weights[`${name}.weight`];
      const bias = weights[`${name}.bias`];
      if (!weight) return x;
      const normed = x.slice();
      let mean = 0;
      if (bias) mean = x.reduce((sum, value) => sum + value, 0) / x.length;
      let square = EPSILON;
      for (let i = 0; i < x.length; i += 1) square += (x[i] - mean) ** 2 / x.length;
      const size = Math.sqrt(square);
      for (let i = 0; i < x.length; i += 1) {
        normed[i] = ((x[i] - mean) / size) * weight[i] + (bias ? bias[i] : 0);
      }
      return normed;
    };
    return {linear, norm};
  };

  /* A function of tokens that returns the probabilities of the next token: row -> token. Row t has
     seen the first t tokens. Rows are computed once: what a sequence shares with the last one is
     kept. `names` renames the rows of random tables: names[v] is the name that token v has now. */
  const network = (model) => {
    const {vocab_size: nTokens, n_special: nSpecial, n_learned: nLearned, bos} = model;
    const weights = Object.fromEntries(
      Object.entries(model.weights).map(([name, text]) => [name, decode(text)]));
    const {start, tables, positions} = weights;
    const width = start.length;
    const readout = weights["vocabulary.readout.weight"];
    const bias = weights["vocabulary.readout.bias"];
    const begin = lexurn.backbones[model.backbone.name](weights, model.backbone);
    const unchanged = Array.from({length: nTokens}, (_, v) => v);
    const certainPad = unchanged.map((v) => (v === PAD ? 1 : 0));
    const isToken = (v) => Number.isInteger(v) && v >= 0 && v < nTokens;

    const rowOf = (table, row) => table.subarray(row * width, (row + 1) * width);
    /* Rows of a random table move to the new names of their tokens. The first `nLearned` tokens
       keep their rows: a row that would move there moves on, to the name of that token. */
    const rename = (table, names) => {
      const renamed = table.slice();
      for (let v = nLearned; v < nTokens; v += 1) {
        let name = names[v];
        while (name < nLearned) name = names[name];
        renamed.set(rowOf(table, v), name * width);
      }
      return renamed;
    };
    /* The vectors that read out: the table, learned ones, or a linear map of a random table. */
    const readoutOf = (table) => {
      if (!readout || nLearned === nTokens) return readout || table;
      return Float64Array.from(
        unchanged.flatMap((v) => Array.from(multiply(readout, rowOf(table, v)))));
    };
    /* A function of a row and the token before it that returns the row's probabilities. */
    const predictorWith = (table) => {
      const vectors = readoutOf(table);
      const step = begin();
      const outputOf = (before, row) => {
        if (row === 0) return (bos ? step : begin())(start, 0);
        const x = rowOf(table, before);
        return step(positions ? add(x, rowOf(positions, row - 1)) : x, bos ? row : row - 1);
      };
      return (before, row) => {
        const logits = multiply(vectors, outputOf(before, row), bias);
        for (let v = 0; v < nTokens; v += 1) logits[v] *= model.logit_scale;
        if (nSpecial) logits[SOS] = logits[PAD] = -Infinity;
        return softmax(logits);
      };
    };

    let namesNow = null;
    let predictors = [];
    let rows = [];
    let seen = [];
    const predict = (tokens, names) => {
      if (namesNow === null || names.some((name, v) => name !== namesNow[v])) {
        const n = tables.length / (nTokens * width);
        predictors = Array.from({length: n}, (_, i) => predictorWith(
          rename(tables.subarray(i * nTokens * width, (i + 1) * nTokens * width), names)));
        namesNow = [...names];
        rows = [];
      }
      const differs = tokens.findIndex((token, i) => token !== seen[i]);
      rows.length = Math.min(rows.length, 1 + (differs < 0 ? tokens.length : differs));
      seen = [...tokens];
      for (let row = rows.length; row <= tokens.length; row += 1) {
        if (nSpecial && tokens.slice(0, row).includes(EOS)) {
          rows.push(certainPad);
        } else {
          const all = predictors.map((predictor) => predictor(tokens[row - 1], row));
          rows.push(unchanged.map((v) =>
            all.reduce((sum, probs) => sum + probs[v], 0) / all.length));
        }
      }
      return [...rows];
    };

    /* Canonical renaming: the model reads tokens under the numbers of their first appearance.
       Tokens not yet seen share the probability of a new one equally. */
    const predictCanonical = (tokens) => {
      const order = unchanged.slice(0, nSpecial);
      const nSeen = [nSpecial];
      for (const token of tokens) {
        if (!order.includes(token)) order.push(token);
        nSeen.push(order.length);
      }
      const rowsOfNames = predict(tokens.map((token) => order.indexOf(token)), unchanged);
      return rowsOfNames.map((probs, row) => {
        const rest = probs.slice(nSeen[row]).reduce((sum, p) => sum + p, 0);
        const ofSeen = order.slice(0, nSeen[row]);
        return unchanged.map((v) =>
          (ofSeen.includes(v) ? probs[order.indexOf(v)] : rest / (nTokens - nSeen[row])));
      });
    };

    return (tokens, names = unchanged) => {
      if (!tokens.every(isToken)) {
        throw new RangeError(`tokens are whole numbers from 0 to ${nTokens - 1}, got ${tokens}`);
      }
      if (tokens.length > model.context_length) {
        throw new RangeError(`at most ${model.context_length} tokens, got ${tokens.length}`);
      }
      if (names.length !== nTokens || new Set(names.filter(isToken)).size !== nTokens) {
        throw new RangeError(`names are the numbers from 0 to ${nTokens - 1}, got ${names}`);
      }
      return model.is_canonical ? predictCanonical(tokens) : predict(tokens, names);
    };
  };

  const layers = {add, layersOf, multiply, sigmoid, silu, softmax};
  globalThis.lexurn = Object.assign({backbones: {}}, globalThis.lexurn, {layers, network});
})();
