/* Names and alphabets: choose how many there are and a training step, and see where models stand;
   then let a model read the same balls under names that it knows together, and under others.

   Data: looks (by the names of students, of "trained" and "new"), colors, urn (of the live models),
   alpha, balls, steps, and cells. A cell has n_names, n_alphabets (a text), corners and places (on
   the map, one per step), captured and captured_new (texts), and perhaps a model, as network.js
   reads it, with `tables`: trained and new, lists of {names, vectors}. */
(() => {
  "use strict";
  const {make, paint, button, group, slider, map, marker} = lexurn.parts;
  const STYLE = `
.explorable .ball { display: inline-block; width: 1.4rem; line-height: 1.4rem; font-size: 0.85rem;
  border-radius: 50%; text-align: center; color: #FFFFFF; background: var(--light); }
.explorable .balls { display: flex; flex-wrap: wrap; gap: 0.2rem; min-height: 1.5rem;
  list-style: none; margin: 0.4rem 0; padding: 0; }
.explorable .bar { display: block; height: 0.9rem; margin-top: 0.1rem; min-width: 1px;
  background-color: var(--ink); print-color-adjust: exact; }`;

  const start = (root, data) => {
    const {looks, colors, cells, steps, alpha = 1} = data;
    const random = lexurn.parts.randomStream(data.seed);
    let cell = cells.find((one) => one.model && one.model.tables.new) || cells[0];
    let step = steps.length - 1;
    let balls = data.balls;
    let deal = {trained: 0, new: 0}; // which table of the model is in use
    const networks = new Map(); // vectors -> predictor, made when it is needed

    const choose = (label, act) => {
      const select = make("select", {"aria-label": label});
      select.addEventListener("change", () => act(select.selectedIndex));
      return {select, element: make("label", {class: "controls"}, `${label} `, select)};
    };
    const fill = (select, texts, chosen) => {
      select.replaceChildren(...texts.map((text) => make("option", {}, text)));
      select.selectedIndex = chosen;
    };
    const numbersOfNames = [...new Set(cells.map(({n_names: n}) => n))];
    const ofNames = (n) => cells.filter((one) => one.n_names === n);
    const names = choose("Names", (i) => pick(ofNames(numbersOfNames[i])[0]));
    const alphabets = choose("Alphabets", (i) => pick(ofNames(cell.n_names)[i]));
    const triangle = map(looks);
    const captured = make("p", {});
    const happened = make("span", {});
    const numbers = make("span", {class: "unseen"});
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"},
      happened, " ", numbers);
    const list = make("ol", {class: "balls", "aria-label": "balls so far"});
    const dealt = make("p", {});
    const table = make("table", {});
    const buttons = make("div", {});

    const ball = (v, attributes = {"aria-hidden": "true"}) =>
      paint(make("span", {class: "ball", ...attributes}, colors[v][0]), looks[colors[v]]);
    const network = ({model}, {vectors}) => {
      if (!networks.has(vectors)) {
        networks.set(vectors, lexurn.network(
          {...model, weights: {...model.weights, tables: vectors}}));
      }
      return networks.get(vectors);
    };
    const tableOf = (kind) => cell.model.tables[kind][deal[kind]];
    const row = (title, look, shares) => make("tr", {},
      make("th", {scope: "row"}, marker(look), ` ${title}`), ...shares.map((p) => {
        const bar = paint(make("span", {class: "bar"}), look);
        bar.style.width = `${100 * p}%`;
        const number = make("span", {class: "number", "data-exact": p}, p.toFixed(3));
        return make("td", {}, number, bar);
      }));
    const showModel = () => {
      const known = cell.model ? Object.keys(cell.model.tables) : [];
      buttons.hidden = table.hidden = list.hidden = !cell.model;
      dealt.textContent = cell.model ? "" : "No model of this cell runs in the page; for its "
        + `place on the map, see above. Models of ${playable} do.`;
      if (!cell.model) return "";
      list.replaceChildren(...balls.map((v) =>
        make("li", {}, ball(v, {role: "img", "aria-label": colors[v]}))));
      dealt.textContent = known.map((kind) => `In a ${TITLES[kind]}, ${colors.map((color, v) =>
        `${color} is name ${tableOf(kind).names[v] + 1}`).join(", ")}.`).join(" ");
      const exact = lexurn.predict(balls, {urns: data.urns, alpha, epsilon: 0.01});
      const rows = [
        ["G", looks.generalizing, exact.generalizing.at(-1)],
        ["S", looks.symmetrized, exact.symmetrized.at(-1)],
        ...known.map((kind) => [`model, ${TITLES[kind]}`, looks[kind],
          network(cell, tableOf(kind))(balls).at(-1)]),
      ];
      table.replaceChildren(
        make("caption", {class: "unseen"}, "Probabilities of the next ball"),
        make("thead", {}, make("tr", {}, make("th", {scope: "col"}, "next ball"),
          ...colors.map((name, v) => make("th", {scope: "col"}, ball(v), ` ${name}`)))),
        make("tbody", {}, ...rows.map(([title, look, shares]) => row(title, look, shares))));
      return `Next ball ${colors.join(", ")}: ` + rows.map(([title, , shares]) =>
        `${title} ${shares.map((p) => p.toFixed(2)).join(" ")}`).join("; ") + ".";
    };
    const show = (text = "") => {
      fill(names.select, numbersOfNames, numbersOfNames.indexOf(cell.n_names));
      const siblings = ofNames(cell.n_names);
      fill(alphabets.select, siblings.map((one) => one.n_alphabets), siblings.indexOf(cell));
      const others = cells.filter((one) => one !== cell)
        .map(({places}) => ({look: FAINT, points: places.slice(step, step + 1)}));
      const own = {look: looks.trained, points: cell.places.slice(0, step + 1)};
      const place = `After ${steps[step]} steps`;
      triangle.update({corners: data.corners, paths: [...others, own],
        text: `${place}, models of ${cell.n_names} names and ${cell.n_alphabets} stand between `
          + "G and S; grey points are models of other numbers."});
      captured.textContent = `At the end, models of ${cell.n_names} names and ${cell.n_alphabets} `
        + `have captured ${cell.captured} on their own alphabets`
        + (cell.captured_new ? `, and ${cell.captured_new} on new ones.` : ".");
      happened.textContent = text;
      numbers.textContent = showModel();
    };

    /* What a reader can do. */
    const pick = (next) => {
      cell = next;
      deal = {trained: 0, new: 0};
      show(`${cell.n_names} names, ${cell.n_alphabets}.`);
    };
    const draw = (v) => {
      if (balls.length >= cell.model.context_length) {
        show(`The sequence is full: it has ${balls.length} balls. Start again.`);
      } else {
        balls = [...balls, v];
        show(`Ball ${balls.length} is ${colors[v]}.`);
      }
    };
    const redeal = () => {
      for (const [kind, tables] of Object.entries(cell.model.tables)) {
        deal[kind] = (deal[kind] + 1) % tables.length;
      }
      show("The same balls under other names.");
    };
    const playable = cells.filter(({model}) => model)
      .map((one) => `${one.n_names} names, ${one.n_alphabets}`).join("; ");
    buttons.append(
      group("Draw a ball of a colour",
        ...colors.map((name, v) => button(() => draw(v), ball(v), ` Draw ${name}`))),
      group("Change the sequence",
        button(() => draw(lexurn.parts.drawFrom(data.urns[0], random)), "Draw from the urn"),
        button(redeal, "Deal other names"),
        button(() => { balls = []; show("No ball has been drawn."); }, "Start again")));
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE), names.element, alphabets.element,
      slider("Training step", steps.length - 1, step, (i) => `${steps[i]} steps`, (i) => {
        step = i;
        show(`After ${steps[i]} steps.`);
      }).element,
      triangle.svg, captured, buttons, list, status, dealt, table);
    show();
    return live;
  };
  const TITLES = {trained: "trained alphabet", new: "new alphabet"};
  const FAINT = {light: "#9E9E9E", dark: "#6E6E6E", marker: "o", dash: ""};

  lexurn.register("names", start);
})();
