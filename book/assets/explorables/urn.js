/* The live urn: draw balls, and see what G, M, S and B_epsilon expect next; rename the colours.

   Data: colors (their names), urns (the pool; balls are drawn from the first one), alpha (1 by
   default), balls (the sequence at the beginning), epsilon, seed, looks (name -> colours on light
   and dark pages), and perhaps model (a trained one, see network.js, with its title and
   max_balls, the most balls that it can see). */
(() => {
  "use strict";
  const MAX_BALLS = 60;
  const TOLERANCE = 1e-12;
  const PREDICTORS = [
    ["generalizing", "G", "counts"],
    ["memorizing", "M", "remembers"],
    ["symmetrized", "S", "remembers without names"],
    ["doubting", "B", "S with doubt"],
  ];
  const STYLE = `
.explorable .live { text-align: left; max-width: 40rem; }
.explorable .live p { margin: 0.4rem 0; }
.explorable .controls { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0.4rem 0; }
.explorable button { font: inherit; font-size: 0.9rem; min-height: 2.4rem; padding: 0.2rem 0.7rem;
  color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 0.4rem;
  cursor: pointer; }
.explorable button:focus-visible { outline: 3px solid var(--pst-color-primary, #0072B2);
  outline-offset: 2px; }
.explorable .balls { display: flex; flex-wrap: wrap; gap: 0.2rem; min-height: 1.5rem;
  list-style: none; margin: 0.4rem 0; padding: 0; }
.explorable .balls li { margin: 0; }
.explorable .ball { display: inline-block; width: 1.4rem; line-height: 1.4rem; font-size: 0.85rem;
  border-radius: 50%; text-align: center; color: #FFFFFF; }
.explorable table { width: 100%; table-layout: fixed !important; border-collapse: collapse; margin: 0.4rem 0;
  font-size: 0.9rem; }
.explorable :is(th, td) { text-align: left; vertical-align: top; padding: 0.25rem 0.3rem;
  border: 0; border-bottom: 1px solid var(--pst-color-border, #9E9E9E); background: none;
  color: inherit; font-weight: normal; }
.explorable thead th:first-child { width: 26%; }
.explorable .bar { display: block; height: 0.9rem; margin-top: 0.1rem; min-width: 1px;
  background-color: var(--light); print-color-adjust: exact; }
.explorable .bar.memorizing { background-image: repeating-linear-gradient(135deg,
  transparent 0 4px, rgba(255, 255, 255, 0.7) 4px 6px); }
.explorable .bar.symmetrized { background-image: radial-gradient(rgba(255, 255, 255, 0.8) 1.3px,
  transparent 1.6px); background-size: 6px 6px; }
.explorable .bar.doubting { background-image: repeating-linear-gradient(90deg,
  transparent 0 4px, rgba(255, 255, 255, 0.7) 4px 6px); }
:is(html[data-theme="dark"], html[theme="dark"], [data-jp-theme-light="false"])
  .explorable .bar { background-color: var(--dark); }
.explorable .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 30rem) { .explorable table { font-size: 0.8rem; } }
@media screen { .explorable.is-live > .fallback { display: none; } }
@media print { .explorable > .live { display: none; } }`;

  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  /* Uniform random numbers in [0, 1) from a seed: mulberry32, by Tommy Ettinger. */
  const randomStream = (seed) => {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  };

  const drawFrom = (shares, random) => {
    const point = random() * shares.reduce((sum, share) => sum + share, 0);
    let sum = 0;
    const color = shares.findIndex((share) => (sum += share) > point);
    return color >= 0 ? color : shares.findLastIndex((share) => share > 0);
  };

  const start = (root, data) => {
    const {colors, urns, epsilon, looks, model} = data;
    const network = model && lexurn.network(model);
    const shown = model ? [...PREDICTORS, ["model", model.title, ""]] : PREDICTORS;
    const maxBalls = Math.min(MAX_BALLS, model ? model.max_balls : MAX_BALLS);
    const random = randomStream(data.seed);
    const unchanged = colors.map((_, v) => v);
    const isOneUrn = urns.length === 1;
    let past = []; // states that *undo* returns to
    let state = {balls: data.balls, names: unchanged}; // names: urn's colour -> its name now
    let fresh = null; // shares of the fresh urn that this sequence draws from

    const ball = (v, attributes = {"aria-hidden": "true"}) => {
      const circle = make("span", {class: "ball", ...attributes}, colors[v][0]);
      circle.style.backgroundColor = looks[colors[v]][0];
      return circle;
    };
    const percents = (shares, names) => shares
      .map((share, v) => `${+(100 * share).toFixed(1)} % ${colors[names[v]]}`).join(", ");
    const predict = (balls) => {
      const rows = lexurn.predict(balls, {urns, epsilon, alpha: data.alpha});
      if (network) rows.model = network(balls);
      return shown.map(([name]) => rows[name].at(-1));
    };

    /* The page. */
    const list = make("ol", {class: "balls", "aria-label": "balls so far"});
    const urnLine = make("p", {});
    const happened = make("span", {});
    const numbers = make("span", {class: "unseen"});
    const status = make("p", {role: "status", "aria-live": "polite"}, happened, " ", numbers);
    const head = make("tr", {}, make("th", {scope: "col"}, "next ball"),
      ...colors.map((name, v) => make("th", {scope: "col"}, ball(v), ` ${name}`)));
    const cells = shown.map(([name]) => colors.map(() => {
      const bar = make("span", {class: `bar ${name}`});
      bar.style.setProperty("--light", looks[name][0]);
      bar.style.setProperty("--dark", looks[name][1]);
      return {number: make("span", {class: "number"}), bar};
    }));
    const lines = shown.map(([, letter, does], i) => {
      const symbol = letter === "B" ? [make("em", {}, "B"), make("sub", {}, "ε")] : [letter];
      const title = make("th", {scope: "row"}, make("strong", {}, ...symbol), ` ${does}`);
      return make("tr", {}, title, ...cells[i].map(({number, bar}) => make("td", {}, number, bar)));
    });
    const caption = make("caption", {class: "unseen"}, "Probabilities of the next ball");
    const table = make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...lines));

    const show = (text) => {
      const {balls, names} = state;
      list.replaceChildren(...balls.map((v) =>
        make("li", {}, ball(v, {role: "img", "aria-label": colors[v]}))));
      const isRenamed = names.some((name, v) => name !== v);
      const training = percents(urns[0], unchanged);
      urnLine.textContent = `M has learned ${isOneUrn ? "the urn" : "urns, the first of them"} `
        + `with ${training}. `
        + (isRenamed ? `After renaming, you draw from ${percents(urns[0], names)}. ` : "")
        + `Balls so far: ${balls.length}.`;
      const predictions = predict(balls);
      predictions.forEach((shares, i) => shares.forEach((p, v) => {
        cells[i][v].number.textContent = p.toFixed(3);
        cells[i][v].number.dataset.exact = p;
        cells[i][v].bar.style.width = `${100 * p}%`;
      }));
      happened.textContent = text;
      numbers.textContent = `Next ball ${colors.join(", ")}: ` + shown.map(([, letter], i) =>
        `${letter} ${predictions[i].map((p) => p.toFixed(2)).join(" ")}`).join("; ") + ".";
    };

    /* What a reader can do. */
    const change = (next, text) => {
      past.push(state);
      state = {...state, ...next};
      show(text);
    };
    const draw = (v, origin) => {
      if (state.balls.length >= maxBalls) {
        show(`The sequence is full: it has ${maxBalls} balls. Undo, or start again.`);
      } else {
        const number = state.balls.length + 1;
        change({balls: [...state.balls, v]}, `Ball ${number} is ${colors[v]}${origin}.`);
      }
    };
    const drawFresh = () => {
      fresh = fresh || colors.map(() => -Math.log(1 - random())); // Dirichlet, all shares alike
      draw(state.names[drawFrom(fresh, random)], ", from a fresh urn whose shares nobody knows");
    };
    const rename = () => {
      const next = (v) => (v + 1) % colors.length;
      const before = predict(state.balls);
      const balls = state.balls.map(next);
      const after = predict(balls);
      const changes = shown.map(([, letter], i) => [letter, Math.max(
        ...before[i].map((p, v) => Math.abs(after[i][next(v)] - p)))]);
      const same = changes.filter(([, size]) => size < TOLERANCE).map(([letter]) => letter);
      const other = changes.filter(([, size]) => size >= TOLERANCE)
        .map(([letter, size]) => `${letter} (by up to ${size.toPrecision(2)})`);
      const moved = colors.map((name, v) => `${name} is now called ${colors[next(v)]}`).join(", ");
      change({balls, names: state.names.map(next)}, `The same balls under other names: ${moved}. `
        + `The same probabilities as before, under the new names: ${same.join(", ")}. `
        + (other.length ? `Other probabilities for the same balls: ${other.join(", ")}.` : ""));
    };
    const undo = () => {
      const isLast = past.length === 0;
      state = past.pop() || state;
      show(isLast ? "There is nothing to undo." : "Undone.");
    };
    const restart = () => {
      past = [];
      state = {balls: [], names: unchanged};
      fresh = null;
      show("No ball has been drawn.");
    };
    const button = (act, ...text) => {
      const element = make("button", {type: "button"}, ...text);
      element.addEventListener("click", act);
      return element;
    };
    const group = (label, ...buttons) =>
      make("div", {class: "controls", role: "group", "aria-label": label}, ...buttons);
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      group("Draw a ball of a colour",
        ...colors.map((name, v) => button(() => draw(v, ""), ball(v), ` Draw ${name}`))),
      group("Draw a ball by chance",
        button(() => draw(state.names[drawFrom(urns[0], random)], ", from the urn"),
          "Draw from the urn"),
        button(drawFresh, "Draw from a fresh urn")),
      group("Change the sequence",
        button(rename, "Rename colours"), button(undo, "Undo"), button(restart, "Start again")),
      urnLine, list, table, status);
    show("Rename the colours: which students change their minds?");
    root.append(make("style", {}, STYLE), live);
    root.classList.add("is-live"); // at the end: if anything fails, the picture stays
  };

  document.querySelectorAll('.explorable[data-name="urn"]:not(.is-live)').forEach((root) =>
    start(root, JSON.parse(root.querySelector('script[type="application/json"]').textContent)));
})();
