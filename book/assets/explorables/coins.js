/* Coins: flip, and see the numbers of a tiny model at work: its attention, z, and its log odds
   beside those of Laplace's rule.

   Data: looks (tails, heads, exact, tiny), flips (0 tails, 1 heads), seed, and models: each a name,
   a sentence about it, and its weights as lists: embedding, positions, qkv, qkv_bias, out, out_bias,
   up (rows: dimensions), up_bias, down, down_bias, readout (the direction of heads), offset. */
(() => {
  "use strict";
  const {make, draw, paint, button, group, shape, marker} = lexurn.parts;
  const NAMES = ["tails", "heads"];
  const STYLE = `
.explorable .chart { display: block; width: 100%; max-width: 30rem; height: auto;
  margin: 0.4rem 0; }
.explorable .chart text { font-size: 11px; fill: currentColor; }`;
  const [WIDTH, LEFT, RIGHT] = [400, 34, 8];

  const dot = (one, other) => one.reduce((sum, x, i) => sum + x * other[i], 0);
  const add = (...vectors) => vectors[0].map((_, i) => vectors.reduce((sum, v) => sum + v[i], 0));
  const times = (matrix, vector) => matrix.map((row) => dot(row, vector));

  /* What a model with one head makes of flips, of which there is at least one. */
  const run = (flips, weights) => {
    const rows = flips.map((flip, i) =>
      add(times(weights.qkv, add(weights.embedding[flip], weights.positions[i])),
        weights.qkv_bias));
    const d = weights.qkv.length / 3;
    const query = rows.at(-1).slice(0, d);
    const scores = rows.map((row) => dot(query, row.slice(d, 2 * d)) / Math.sqrt(d));
    const top = Math.max(...scores);
    const raw = scores.map((score) => Math.exp(score - top));
    const sum = raw.reduce((total, one) => total + one, 0);
    const attention = raw.map((one) => one / sum);
    const z = rows[0].slice(2 * d).map((_, c) =>
      attention.reduce((total, share, i) => total + share * rows[i][2 * d + c], 0));
    const mid = add(weights.embedding[flips.at(-1)], weights.positions[flips.length - 1],
      times(weights.out, z), weights.out_bias);
    const hidden = weights.up_bias.map((bias, j) =>
      Math.max(0, bias + mid.reduce((total, x, a) => total + x * weights.up[a][j], 0)));
    const post = add(mid, times(weights.down, hidden), weights.down_bias);
    return {attention, z: z[0], logOdds: dot(weights.readout, post) + weights.offset};
  };
  const laplace = (flips) => {
    const heads = flips.reduce((sum, flip) => sum + flip, 0);
    return Math.log((heads + 1) / (flips.length - heads + 1));
  };
  const share = (logOdds) => 1 / (1 + Math.exp(-logOdds));

  const start = (root, data) => {
    const {looks, models} = data;
    const random = lexurn.parts.randomStream(data.seed);
    let model = models[0];
    let flips = data.flips;
    let coin = random();

    const select = make("select", {"aria-label": "Model"},
      ...models.map(({name}) => make("option", {}, name)));
    const about = make("p", {});
    const bars = draw("svg", {class: "chart", role: "img", viewBox: `0 0 ${WIDTH} 120`});
    const lines = draw("svg", {class: "chart", role: "img", viewBox: `0 0 ${WIDTH} 150`});
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"});
    const table = make("table", {});
    const longest = () => model.weights.positions.length;
    const x = (i) => LEFT + (i + 0.5) * (WIDTH - LEFT - RIGHT) / (longest() + 1);

    const showBars = (attention) => {
      const step = x(1) - x(0);
      const scale = 80 / Math.max(0.25, ...attention);
      bars.setAttribute("aria-label", `Attention to ${flips.length} flips: ` + flips.map((flip, i) =>
        `${NAMES[flip]} ${attention[i].toFixed(2)}`).join(", "));
      bars.replaceChildren(
        draw("text", {x: 2, y: 12}, "attention"),
        draw("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: 100, y2: 100, stroke: "#8A8A8A"}),
        ...flips.flatMap((flip, i) => [
          paint(draw("rect", {x: x(i + 1) - 0.35 * step, width: 0.7 * step,
            y: 100 - scale * attention[i], height: scale * attention[i], style: "fill: var(--ink)"}),
          looks[NAMES[flip]]),
          draw("text", {x: x(i + 1), y: 114, "text-anchor": "middle"}, NAMES[flip][0].toUpperCase()),
        ]));
    };
    const showLines = (series) => {
      const y = (value) => 75 - 65 * Math.max(-1, Math.min(1, value / 3.2));
      lines.setAttribute("aria-label", "Log odds of heads after each flip, of Laplace's rule and of "
        + "the model; the last values stand in the table.");
      lines.replaceChildren(
        draw("text", {x: 2, y: 12}, "log odds"),
        draw("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0), stroke: "#8A8A8A"}),
        ...[-2, 0, 2].map((value) => draw("text", {x: 16, y: y(value) + 4}, `${value}`)),
        ...series.flatMap(({look, values}) => [
          paint(draw("polyline", {fill: "none", "stroke-width": 1.6, "stroke-dasharray": look.dash,
            points: values.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
            style: "stroke: var(--ink)"}), look),
          ...values.map((value, i) => shape(look,
            {transform: `translate(${x(i + 1).toFixed(1)} ${y(value).toFixed(1)}) scale(3)`}))]));
    };
    const show = (text) => {
      about.textContent = model.about;
      const prefixes = flips.map((_, i) => flips.slice(0, i + 1));
      const results = prefixes.map((prefix) => run(prefix, model.weights));
      const exact = prefixes.map(laplace);
      showBars(flips.length ? results.at(-1).attention : []);
      showLines([{look: looks.exact, values: exact},
        {look: looks.tiny, values: results.map(({logOdds}) => logOdds)}]);
      table.hidden = !flips.length;
      const heads = flips.reduce((sum, flip) => sum + flip, 0);
      const last = results.at(-1);
      const cell = (value) => make("td", {class: "number", "data-exact": value}, value.toFixed(3));
      if (last) {
        table.replaceChildren(
          make("caption", {class: "unseen"}, "What the model and the rule say now"),
          make("thead", {}, make("tr", {}, ...["after " + flips.length + " flips", "log odds",
            "p(heads)"].map((title) => make("th", {scope: "col"}, title)))),
          make("tbody", {},
            make("tr", {}, make("th", {scope: "row"}, marker(looks.tiny), " model"),
              cell(last.logOdds), cell(share(last.logOdds))),
            make("tr", {}, make("th", {scope: "row"}, marker(looks.exact), " Laplace's rule"),
              cell(exact.at(-1)), cell(share(exact.at(-1))))));
      }
      status.textContent = `${text} ` + (last ? `${heads} heads in ${flips.length} flips: z is `
        + `${last.z.toFixed(2)}, and p(heads) is ${share(last.logOdds).toFixed(2)}; Laplace's rule `
        + `says ${share(exact.at(-1)).toFixed(2)}.` : "Before any flip, this model is not asked.");
    };

    /* What a reader can do. */
    const flip = (side) => {
      if (flips.length >= longest()) {
        show(`The model reads at most ${longest()} flips. Start again.`);
      } else {
        flips = [...flips, side];
        show(`Flip ${flips.length} is ${NAMES[side]}.`);
      }
    };
    select.addEventListener("change", () => {
      model = models[select.selectedIndex];
      show(`The same flips, read by another model.`);
    });
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE), make("label", {class: "controls"}, "Model ", select), about,
      group("Flip", button(() => flip(1), "Heads"), button(() => flip(0), "Tails"),
        button(() => flip(random() < coin ? 1 : 0), "Flip the coin"),
        button(() => { flips = flips.slice(0, -1); show("The last flip is taken back."); },
          "Take back"),
        button(() => { coin = random(); flips = []; show("A new coin."); }, "New coin")),
      bars, lines, status, table);
    show("Flip a coin.");
    return live;
  };

  lexurn.register("coins", start);
})();
