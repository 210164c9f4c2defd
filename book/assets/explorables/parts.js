/* What explorables share: how they start, their controls, a seeded random stream, and the map.

   An explorable calls lexurn.register(name, start). For each of its elements in the page, `start`
   gets the element and its data, and returns what is shown in place of the picture. Data stand in
   the element, or in a file beside the page, which load.js brings when the element comes into view.
   If anything fails, the picture stays, and a line below it says why. */
(() => {
  "use strict";
  const STYLE = `
.explorable .live { text-align: left; max-width: 44rem; }
.explorable .live p { margin: 0.4rem 0; }
.explorable .failure { font-size: 0.9rem; font-style: italic; }
.explorable .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem;
  margin: 0.4rem 0; }
.explorable :is(button, select) { font: inherit; font-size: 0.9rem; min-height: 2.4rem;
  padding: 0.2rem 0.7rem; color: inherit; background: transparent; border: 1px solid currentColor;
  border-radius: 0.4rem; cursor: pointer; }
.explorable option { color: #222832; background: #FFFFFF; }
.explorable button[aria-pressed="true"] { box-shadow: inset 0 0 0 2px currentColor; }
.explorable input[type="range"] { flex: 1 1 8rem; min-width: 6rem; height: 2.4rem;
  accent-color: #0072B2; }
.explorable :is(button, select, input, summary):focus-visible {
  outline: 3px solid var(--pst-color-primary, #0072B2); outline-offset: 2px; }
.explorable label .title { min-width: 4rem; }
.explorable summary { min-height: 1.5rem; cursor: pointer; font-size: 0.9rem; }
.explorable table { width: 100%; table-layout: fixed !important; border-collapse: collapse;
  margin: 0.4rem 0; font-size: 0.9rem; }
.explorable :is(th, td) { text-align: left; vertical-align: top; padding: 0.25rem 0.3rem;
  border: 0; border-bottom: 1px solid var(--pst-color-border, #9E9E9E); background: none;
  color: inherit; font-weight: normal; }
.explorable thead th:first-child { width: 26%; }
.explorable .map { display: block; width: 100%; max-width: 24rem; height: auto; margin: 0.4rem 0; }
.explorable .map text { font-size: 13px; fill: currentColor; }
.explorable [hidden] { display: none; }
.explorable .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.explorable .happened { min-height: 3.2rem; }
.explorable [style*="--light"] { --ink: var(--light); }
:is(html[data-theme="dark"], html[theme="dark"], [data-jp-theme-light="false"])
  .explorable [style*="--light"] { --ink: var(--dark); }
@media (max-width: 30rem) { .explorable table { font-size: 0.8rem; } }
@media screen { .explorable.is-live > .fallback { display: none; } }
@media print { .explorable > .live { display: none; } }`;

  /* Starting. */
  const starts = {};
  const run = (root, data) => {
    if (root.matches(".is-live")) return;
    try {
      const live = starts[root.dataset.name](root, data);
      root.append(make("style", {}, STYLE), live);
      root.classList.add("is-live"); // at the end: if anything fails, the picture stays
    } catch (error) {
      fail(root, error.message);
    }
  };
  const fail = (root, reason) => {
    root.querySelectorAll(":scope > .failure").forEach((old) => old.remove());
    root.append(make("p", {class: "failure", role: "status"},
      `This figure cannot be used here; its picture stands in its place. ${reason}`));
  };
  const register = (name, start) => {
    starts[name] = start;
    document.querySelectorAll(`.explorable[data-name="${name}"]`).forEach((root) => {
      const data = root.querySelector('script[type="application/json"]');
      if (data) run(root, JSON.parse(data.textContent));
    });
  };

  /* Elements. */
  const SVG = "http://www.w3.org/2000/svg";
  const fill = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const make = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const draw = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);
  const paint = (element, {light, dark}) => {
    element.style.setProperty("--light", light);
    element.style.setProperty("--dark", dark);
    return element;
  };
  const button = (act, ...text) => {
    const element = make("button", {type: "button"}, ...text);
    element.addEventListener("click", act);
    return element;
  };
  const group = (label, ...children) =>
    make("div", {class: "controls", role: "group", "aria-label": label}, ...children);
  /* A slider over the whole numbers from 0 to `last`, with a function that sets its value. `say`
     gives the text of a value. */
  const slider = (label, last, value, say, act) => {
    const input = make("input", {type: "range", min: 0, max: last, step: 1, value});
    const text = make("span", {}, say(value));
    const show = () => {
      text.textContent = say(+input.value);
      input.setAttribute("aria-valuetext", text.textContent);
    };
    show();
    input.addEventListener("input", () => {
      show();
      act(+input.value);
    });
    const set = (changed) => {
      input.value = changed;
      show();
    };
    const title = make("span", {class: "title"}, label);
    return {element: make("label", {class: "controls"}, title, input, text), set};
  };

  /* The shapes of markers, by their names in Matplotlib, about 0 with radius 1. */
  const MARKERS = {
    o: "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
    s: "M-.9 -.9H.9V.9H-.9Z",
    D: "M0 -1.2L1.2 0L0 1.2L-1.2 0Z",
    v: "M-1.1 -.9H1.1L0 1.1Z",
    "^": "M-1.1 .9H1.1L0 -1.1Z",
    P: "M-.4 -1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
    X: "M-1.1 -.7L-.7 -1.1L0 -.4L.7 -1.1L1.1 -.7L.4 0L1.1 .7L.7 1.1L0 .4L-.7 1.1L-1.1 .7L-.4 0Z",
  };

  const shape = (look, attributes = {}) => paint(draw("path", {
    d: MARKERS[look.marker] || MARKERS.o, style: "fill: var(--ink)", ...attributes}), look);

  /* The map of predictors: the corners G, M and S, and a path with a marker at its end per model.
     Corners and paths are in the units of the caller, whose y points upwards; `update` takes
     {corners: [[x, y] of G, of M, of S], paths: [{look, points: [[x, y]]}], text, inView}.
     Points of `inView` fit into the picture, and others may be drawn at its edge. */
  const map = (looks) => {
    const [width, height, edge] = [360, 250, 34];
    const svg = draw("svg", {class: "map", role: "img"});
    const names = ["generalizing", "memorizing", "symmetrized"];
    const update = ({corners, paths, text, inView = corners}) => {
      const xs = inView.map(([x]) => x);
      const ys = inView.map(([, y]) => y);
      const [left, low] = [Math.min(...xs), Math.min(...ys)];
      const scale = Math.min((width - 2 * edge) / (Math.max(...xs) - left || 1),
        (height - 2 * edge) / (Math.max(...ys) - low || 1));
      const top = height - 2 * edge - scale * (Math.max(...ys) - low);
      svg.setAttribute("viewBox", `0 ${top.toFixed(1)} ${width} ${(height - top).toFixed(1)}`);
      const clip = (value, low, high) => Math.max(low + 6, Math.min(high - 6, value));
      const place = ([x, y]) => [clip(edge + scale * (x - left), 0, width),
        clip(height - edge - scale * (y - low), top, height)].map((number) => number.toFixed(1));
      const line = (points) => points.map((point) => place(point).join(",")).join(" ");
      const mark = (point, look, size) =>
        shape(look, {transform: `translate(${place(point)}) scale(${size})`});
      svg.setAttribute("aria-label", text);
      svg.replaceChildren(
        draw("polygon", {points: line(corners), fill: "none", stroke: "#8A8A8A"}),
        ...corners.flatMap((corner, i) => {
          const [x, y] = place(corner);
          const isTop = y < (top + height) / 2;
          return [mark(corner, looks[names[i]], 6),
            draw("text", {x, y: +y + (isTop ? -12 : 22), "text-anchor": "middle"}, "GMS"[i])];
        }),
        ...paths.filter(({points}) => points.length).flatMap(({look, points}) => [
          paint(draw("polyline", {points: line(points), fill: "none", "stroke-width": 1.5,
            "stroke-dasharray": look.dash, style: "stroke: var(--ink)"}), look),
          mark(points.at(-1), look, 5)]));
    };
    return {svg, update};
  };
  /* The marker of an entity, for legends. */
  const marker = (look) => draw("svg", {viewBox: "-1.4 -1.4 2.8 2.8", width: 12, height: 12,
    "aria-hidden": "true"}, shape(look));

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

  globalThis.lexurn = Object.assign(globalThis.lexurn || {}, {
    register, run, fail,
    parts: {make, draw, paint, button, group, slider, shape, map, marker, randomStream, drawFrom},
  });
})();
