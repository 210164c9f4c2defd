/* The LSTM of the library: lexurn.models.lstm. */
(() => {
  "use strict";
  const {add, multiply, sigmoid} = lexurn.layers;

  const lstm = (weights, {n_layers: nLayers}) => {
    const weightsOf = (name) => Array.from({length: nLayers}, (_, i) =>
      weights[`backbone.layers.${name}_l${i}`]);
    const [ofInput, ofHidden] = [weightsOf("weight_ih"), weightsOf("weight_hh")];
    const [biasOfInput, biasOfHidden] = [weightsOf("bias_ih"), weightsOf("bias_hh")];
    const width = biasOfInput[0].length / 4;
    const empty = {hidden: new Float64Array(width), cell: new Float64Array(width)};

    const next = (x, before, i) => {
      const gates = add(multiply(ofInput[i], x, biasOfInput[i]),
        multiply(ofHidden[i], before.hidden, biasOfHidden[i])); // input, forget, cell, output
      const cell = before.cell.slice();
      const hidden = new Float64Array(width);
      for (let j = 0; j < width; j += 1) {
        cell[j] = sigmoid(gates[width + j]) * cell[j]
          + sigmoid(gates[j]) * Math.tanh(gates[2 * width + j]);
        hidden[j] = sigmoid(gates[3 * width + j]) * Math.tanh(cell[j]);
      }
      return {hidden, cell};
    };

    return () => {
      const pasts = Array.from({length: nLayers}, () => []);
      return (input, row) => {
        let x = input;
        pasts.forEach((past, i) => {
          past[row] = next(x, row > 0 ? past[row - 1] : empty, i);
          x = past[row].hidden;
        });
        return x;
      };
    };
  };

  Object.assign(lexurn.backbones, {lstm});
})();
