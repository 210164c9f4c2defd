/* Mamba, a state-space model with input-dependent parameters: lexurn.models.mamba. */
(() => {
  "use strict";
  const {add, layersOf, silu} = lexurn.layers;

  const softplus = (x) => (x > 20 ? x : Math.log1p(Math.exp(x)));

  const mamba = (weights, {n_layers: nLayers, d_state: nStates, d_conv: nConvolved}) => {
    const {linear, norm} = layersOf(weights);
    const rates = Array.from({length: nLayers}, (_, i) =>
      weights[`backbone.layers.${i}.mixer.A_log`].map((log) => -Math.exp(log)));

    /* A channel's convolution over its last rows. `past` holds what each row keeps. */
    const convolve = (past, row, name) => {
      const kernels = weights[`${name}.weight`];
      const convolved = weights[`${name}.bias`].slice();
      for (let k = Math.max(nConvolved - 1 - row, 0); k < nConvolved; k += 1) {
        const {channels} = past[row - (nConvolved - 1) + k];
        for (let c = 0; c < convolved.length; c += 1) {
          convolved[c] += kernels[c * nConvolved + k] * channels[c];
        }
      }
      return convolved.map(silu);
    };
    const mix = (x, i, past, row) => {
      const name = `backbone.layers.${i}.mixer`;
      const both = linear(x, `${name}.in_proj`);
      const inner = both.length / 2;
      const states = row > 0 ? past[row - 1].states.slice() : new Float64Array(inner * nStates);
      past[row] = {channels: both.subarray(0, inner), states};
      const u = convolve(past, row, `${name}.conv1d`);
      const all = linear(u, `${name}.x_proj`); // step sizes, B, C
      const fromB = all.length - 2 * nStates;
      const delta = linear(all.subarray(0, fromB), `${name}.dt_proj`).map(softplus);
      const skip = weights[`${name}.D`];
      const mixed = new Float64Array(inner);
      for (let c = 0; c < inner; c += 1) {
        let y = skip[c] * u[c];
        for (let n = 0; n < nStates; n += 1) {
          const at = c * nStates + n;
          states[at] = Math.exp(delta[c] * rates[i][at]) * states[at]
            + delta[c] * all[fromB + n] * u[c];
          y += all[fromB + nStates + n] * states[at];
        }
        mixed[c] = y * silu(both[inner + c]);
      }
      return linear(mixed, `${name}.out_proj`);
    };

    return () => {
      const pasts = Array.from({length: nLayers}, () => []);
      return (input, row) => {
        let x = input;
        pasts.forEach((past, i) => {
          x = add(x, mix(norm(x, `backbone.layers.${i}.norm`), i, past, row));
        });
        return norm(x, "backbone.norm_f");
      };
    };
  };

  Object.assign(lexurn.backbones, {mamba});
})();
