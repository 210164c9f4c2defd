/* Click a cell of the map, task diversity × step: see what the model predicts there, beside G, M, S
   and the nearest mixture of strategies.

   Data: colors (their names), looks (by the names of predictors, kinds and colours), shades (hex
   colours from G to the memorizer), contexts (each with its title and its counts of colours),
   chosen (the kind and n_tasks of the first cell), and kinds: each with its name, the letter of its
   memorizer (M or S) and rows. A row has n_tasks, steps, and per step the shares (0 at G, 1 at the
   memorizer, or null), weights (of U, G and the memorizer in the nearest mixture), left_over
   (nats between model and mixture) and models (per context the probabilities of colours); and
   references: per letter u, g, m, s and context the probabilities of colours. */
(() => {
  "use strict";
  const {make, paint, button, group, marker} = lexurn.parts;
  const REFERENCES = [["g", "generalizing", "G"], ["m", "memorizing", "M"],
    ["s", "symmetrized", "S"]];
  const MOVES = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0],
    Home: [0, -Infinity], End: [0, Infinity], PageUp: [Infinity, 0], PageDown: [-Infinity, 0]};
  const STYLE = `
.explorable .cells { border-collapse: separate; border-spacing: 2px; }
.explorable .cells :is(th, td) { padding: 0; border: 0; text-align: center;
  vertical-align: middle; font-size: 0.68rem; }
.explorable .cells thead th:first-child { width: 10%; }
.explorable .cells caption { caption-side: top; text-align: left; color: inherit; }
.explorable .cells button { display: block; width: 100%; min-height: 1.9rem; padding: 0;
  border: 0; border-radius: 0.2rem; font-size: 0.75rem; print-color-adjust: exact; }
.explorable .cells button[data-open] { border: 1px dashed currentColor; }
.explorable .cells button[aria-pressed="true"] { outline: 3px solid currentColor;
  outline-offset: 1px; box-shadow: none; }
.explorable .cells button:focus-visible { outline: 3px solid var(--pst-color-primary, #0072B2); }
.explorable .controls button { min-height: 2.75rem; }
.explorable .bar { display: block; height: 0.6rem; margin-top: 0.1rem; min-width: 1px;
  background-color: var(--ink); print-color-adjust: exact; }
.explorable .at-cell thead th:last-child { width: 19%; }`;

  const percent = (p) => `${Math.round(100 * p)} %`;
  const urns = (n) => (n === 1 ? "1 urn" : `${n} urns`);

  /* KL(p ‖ q) in nats. A probability of zero in q counts as 1e-5, the precision of the numbers. */
  const divergence = (p, q) => p.reduce((sum, each, i) =>
    sum + (each > 0 ? each * Math.log(each / Math.max(q[i], 1e-5)) : 0), 0);

  const start = (root, data) => {
    const {colors, looks, shades, contexts, kinds} = data;
    let kind = kinds.find(({name}) => name === data.chosen.kind) || kinds[0];
    let place = [Math.max(0, kind.rows.findIndex((row) => row.n_tasks === data.chosen.n_tasks)),
      kind.rows[0].steps.length - 1];
    let context = 1;

    /* Numbers of a cell. */
    const letters = () => ["U", "G", kind.memorizer];
    const references = (row) => ["u", "g", kind.memorizer.toLowerCase()]
      .map((letter) => row.references[letter][context]);
    const mixture = (row, step) => colors.map((_, i) =>
      references(row).reduce((sum, probs, k) => sum + row.weights[step][k] * probs[i], 0));
    const nearest = (weights) => letters()[weights.indexOf(Math.max(...weights))];
    const describe = (row, step) => {
      const share = row.shares[step];
      const weights = letters().map((letter, k) => `${letter} ${percent(row.weights[step][k])}`);
      const relative = share === null ? "undetermined" : share.toFixed(2);
      return `${urns(row.n_tasks)}, step ${row.steps[step]}: relative distance ${relative} `
        + `(0 is G, 1 is ${kind.memorizer}); nearest mixture ${weights.join(", ")}.`;
    };

    /* The map. */
    let buttons = []; // by row and step
    const map = make("table", {class: "cells", role: "grid"});
    const cell = (row, d, s) => {
      const share = row.shares[s];
      const letter = make("span", {"aria-hidden": "true"}, nearest(row.weights[s]));
      const element = button(() => move(d, s), letter);
      element.setAttribute("aria-label", describe(row, s));
      if (share === null) {
        element.dataset.open = "";
      } else {
        const within = Math.max(0, Math.min(1, share));
        element.style.backgroundColor = shades[Math.round(within * (shades.length - 1))];
        letter.style.color = within < 0.45 ? "#FFFFFF" : "#000000";
      }
      return element;
    };
    const drawMap = () => {
      buttons = kind.rows.map((row, d) => row.steps.map((_, s) => cell(row, d, s)));
      const head = make("tr", {}, make("th", {scope: "col"}, "urns"),
        ...kind.rows[0].steps.map((step) => make("th", {scope: "col"}, step)));
      const lines = kind.rows.map((row, d) => make("tr", {},
        make("th", {scope: "row"}, row.n_tasks),
        ...buttons[d].map((one) => make("td", {}, one))));
      map.replaceChildren(make("caption", {}, `Map of ${kind.name} models: training urns and `
        + `steps. Dark cells are near G, bright cells near ${kind.memorizer}; in dashed cells, the `
        + "relative distance is undetermined. Letters: the strategy with the largest weight."),
      make("thead", {}, head), make("tbody", {}, ...lines.reverse()));
    };
    map.addEventListener("keydown", (event) => {
      const by = MOVES[event.key];
      if (!by) return;
      event.preventDefault();
      const [d, s] = place.map((now, axis) => now + by[axis]);
      move(d, s);
      buttons[place[0]][place[1]].focus();
    });

    /* Predictions at the cell. */
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"});
    const table = make("table", {class: "at-cell"});
    const line = (title, look, probs, distance) => make("tr", {},
      make("th", {scope: "row"}, marker(look), ` ${title}`),
      ...probs.map((p, i) => {
        const bar = paint(make("span", {class: "bar"}), looks[colors[i]]);
        bar.style.width = `${100 * p}%`;
        return make("td", {}, make("span", {class: "number", "data-exact": p}, p.toFixed(3)), bar);
      }),
      make("td", {}, distance === null ? "–"
        : make("span", {class: "distance", "data-exact": distance}, distance.toFixed(3))));
    const show = () => {
      const [d, s] = place;
      const row = kind.rows[d];
      buttons.flat().forEach((one) => {
        one.tabIndex = -1;
        one.setAttribute("aria-pressed", "false");
      });
      buttons[d][s].tabIndex = 0;
      buttons[d][s].setAttribute("aria-pressed", "true");
      kindButtons.forEach((one, i) => one.setAttribute("aria-pressed", kinds[i] === kind));
      contextButtons.forEach((one, i) => one.setAttribute("aria-pressed", i === context));
      const model = row.models[s][context];
      const mixed = mixture(row, s);
      const {title, counts} = contexts[context];
      const drawn = colors.map((color, i) => `${counts[i]} ${color}`).join(", ");
      table.replaceChildren(
        make("caption", {}, `Next ball after ${title} (${drawn}).`),
        make("thead", {}, make("tr", {}, ...["predictor", ...colors, "KL (nats)"]
          .map((name) => make("th", {scope: "col"}, name)))),
        make("tbody", {}, line("model", looks[kind.name], model, null),
          line("mixture", looks.uniform, mixed, divergence(model, mixed)),
          ...REFERENCES.map(([letter, name, title]) => {
            const probs = row.references[letter][context];
            return line(title, looks[name], probs, divergence(model, probs));
          })));
      status.textContent = `${describe(row, s)} Over many sequences, model and mixture differ by `
        + `${row.left_over[s].toPrecision(2)} nats.`;
    };

    /* What a reader can do. */
    const move = (d, s) => {
      const clip = (value, last) => Math.max(0, Math.min(last, value));
      place = [clip(d, kind.rows.length - 1), clip(s, kind.rows[0].steps.length - 1)];
      show();
    };
    const kindButtons = kinds.map((one) => button(() => {
      kind = one;
      drawMap();
      move(...place);
    }, `${one.name} models`));
    const contextButtons = contexts.map(({title}, i) => button(() => {
      context = i;
      show();
    }, title));
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE),
      ...(kinds.length > 1 ? [group("Kind of models", ...kindButtons)] : []),
      map, group("Context", ...contextButtons), status, table,
      make("p", {}, "KL: from the model to the predictor in this line, after this context."));
    drawMap();
    show();
    return live;
  };

  lexurn.register("strategies", start);
})();
