/* How like the vectors of a text's tokens are: a map of all pairs, with sliders for layer and step.

   Data: prompts (texts as lists of tokens), models (titles), layers (names), steps, and cosines: per
   prompt and model, a text in base64 with one byte for each step, layer and pair of tokens, in this
   order, 127 for a cosine of 1. Pairs are (1, 0), (2, 0), (2, 1), (3, 0) and so on. With two models
   the second minus the first can be shown as well. */
(() => {
  "use strict";
  const {make, draw, paint, group, slider} = lexurn.parts;
  const LIKE = {light: "#5E3C99", dark: "#B9A5E0"};
  const UNLIKE = {light: "#B35806", dark: "#F0A04B"};
  const N_NAMED = 3; // tokens that a sentence names
  const STYLE = `
.explorable .letters { display: flex; flex-wrap: wrap; gap: 2px; margin: 0.4rem 0; }
.explorable .letters button { min-width: 1.6rem; min-height: 1.6rem; padding: 0 0.25rem;
  border-radius: 0.2rem; border-color: transparent; font-family: monospace;
  background: color-mix(in srgb, var(--ink) var(--share), transparent); }
.explorable .letters button.is-chosen { border-color: currentColor; font-weight: bold; }
.explorable .pairs { display: block; width: 100%; max-width: 26rem; height: auto; }
.explorable .pairs .mark { fill: none; stroke: currentColor; stroke-width: 0.12; }`;

  const unpack = (text) => Int8Array.from(atob(text), (one) => one.charCodeAt(0));

  const start = (root, data) => {
    const {prompts, models, layers, steps} = data;
    const cosines = data.cosines.map((ofModels) => ofModels.map(unpack));
    const last = (list) => list.length - 1;
    let [prompt, model, layer, step, chosen] = [0, 0, last(layers), last(steps), 0];
    const titles = models.length === 2 ? [...models, `${models[1]} minus ${models[0]}`] : models;

    const read = (which, i, j) => {
      if (i === j) return 1;
      const n = prompts[prompt].length;
      const pair = Math.max(i, j) * (Math.max(i, j) - 1) / 2 + Math.min(i, j);
      const place = (step * layers.length + layer) * n * (n - 1) / 2 + pair;
      return cosines[prompt][which][place] / 127;
    };
    const value = (i, j) =>
      (model < models.length ? read(model, i, j) : read(1, i, j) - read(0, i, j));

    const svg = draw("svg", {class: "pairs", role: "img"});
    const letters = make("div", {class: "letters", role: "toolbar"});
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"});
    let cells = [];
    let buttons = [];
    let mark = null;

    /* Build what depends on the text alone. */
    const build = () => {
      const tokens = prompts[prompt];
      const n = tokens.length;
      chosen = Math.min(chosen, n - 1);
      svg.setAttribute("viewBox", `0 0 ${n} ${n}`);
      cells = tokens.map((_, i) => tokens.map((_, j) =>
        draw("rect", {x: j, y: i, width: 1.02, height: 1.02, style: "fill: var(--ink)"})));
      cells.forEach((row, i) => row.forEach((cell, j) =>
        cell.addEventListener("pointerenter", () => choose(i, j))));
      mark = draw("rect", {class: "mark", x: 0, width: n, height: 1});
      svg.replaceChildren(...cells.flat(), mark);
      buttons = tokens.map((token, i) => {
        const one = make("button", {type: "button"}, token);
        one.addEventListener("pointerenter", () => choose(i));
        one.addEventListener("focus", () => choose(i));
        one.addEventListener("keydown", (event) => {
          const to = {ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: n - 1}[event.key];
          if (to === undefined || !buttons[to]) return;
          event.preventDefault();
          buttons[to].focus();
        });
        return one;
      });
      letters.setAttribute("aria-label", "Tokens: move by the arrow keys");
      letters.replaceChildren(...buttons);
      show();
    };
    const color = (element, number) => paint(element, number < 0 ? UNLIKE : LIKE);
    const choose = (i, beside = null) => {
      chosen = i;
      tell(beside);
    };
    const tell = (beside = null) => {
      const tokens = prompts[prompt];
      const numbers = tokens.map((_, j) => value(chosen, j));
      mark.setAttribute("y", chosen);
      buttons.forEach((one, j) => {
        color(one, numbers[j]);
        one.style.setProperty("--share", `${Math.round(40 * Math.min(1, Math.abs(numbers[j])))}%`);
        one.classList.toggle("is-chosen", j === chosen);
        one.tabIndex = j === chosen ? 0 : -1;
        one.setAttribute("aria-label", `${tokens[j]}, token ${j + 1}`);
        one.dataset.value = numbers[j];
      });
      const others = [...tokens.keys()].filter((j) => j !== chosen)
        .sort((a, b) => numbers[b] - numbers[a]);
      const name = (j) => `${tokens[j]} (${j + 1}): ${numbers[j].toFixed(2)}`;
      const mean = others.reduce((sum, j) => sum + numbers[j], 0) / (others.length || 1);
      status.textContent = `Token ${tokens[chosen]} (${chosen + 1}), ${layers[layer]}, step `
        + `${steps[step]}, ${titles[model]}. Mean with the others ${mean.toFixed(2)}. Largest: `
        + `${others.slice(0, N_NAMED).map(name).join("; ")}.`
        + (beside === null ? "" : ` Pointed at: ${name(beside)}.`);
      status.dataset.mean = mean;
    };
    const show = () => {
      let [sum, n] = [0, prompts[prompt].length];
      cells.forEach((row, i) => row.forEach((cell, j) => {
        const number = value(i, j);
        sum += i === j ? 0 : number;
        color(cell, number);
        cell.setAttribute("fill-opacity", Math.min(1, Math.abs(number)).toFixed(2));
      }));
      svg.setAttribute("aria-label", `${titles[model]}, ${layers[layer]}, step ${steps[step]}: `
        + `mean cosine of all pairs ${(sum / (n * (n - 1))).toFixed(2)}.`);
      tell();
    };

    const choice = (label, options, act) => {
      const element = make("select", {},
        ...options.map((title, i) => make("option", {value: i}, title)));
      element.addEventListener("change", () => act(+element.value));
      return make("label", {}, `${label} `, element);
    };
    const ofLayers = slider("Layer", last(layers), layer, (i) => layers[i], (i) => {
      layer = i;
      show();
    });
    const ofSteps = slider("Step", last(steps), step, (i) => `${steps[i]}`, (i) => {
      step = i;
      show();
    });
    const texts = prompts.map((tokens, i) => `${i + 1}: ${tokens.slice(0, 12).join("")} …`);
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE),
      group("What is shown",
        choice("Model", titles, (i) => {
          model = i;
          show();
        }),
        ...(prompts.length > 1 ? [choice("Text", texts, (i) => {
          prompt = i;
          build();
        })] : [])),
      ofLayers.element, ofSteps.element, letters, svg, status);
    build();
    return live;
  };

  lexurn.register("tokens", start);
})();
