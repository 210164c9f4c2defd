/* Scrub a training: move through the recorded steps of trained models, and see their validation
   loss, their distances to G, M and S, and their places on the map.

   Data: splits (titles of where distances are measured), corners (per split the places of G, M and
   S), levels (the losses of G, M and S, or nothing), step_label (of the axis), looks (by the names
   of G, M and S and by titles), and models: each with its title, steps, losses, and per split and
   step its distances to G, M and S and its place on the map. A model whose record has ended stays
   at its end. */
(() => {
  "use strict";
  const {make, draw, paint, button, group, slider, shape, marker, map} = lexurn.parts;
  const PLAY = 10000; // milliseconds from the first step to the last one
  const NAMES = ["generalizing", "memorizing", "symmetrized"];
  const STYLE = `
.explorable .views { display: flex; flex-wrap: wrap; align-items: center; gap: 0 1.5rem; }
.explorable .views svg { flex: 1 1 17rem; min-width: 0; }
.explorable .training caption { caption-side: top; text-align: left; color: inherit; }
.explorable .training tbody tr { height: 3.1rem; }
.explorable .training small { display: block; }
.explorable .length { display: block; height: 0.6rem; min-width: 1px; background: var(--ink); }`;

  /* Curves of the validation loss, with a mark per model at the step. The axis of steps is nearly
     linear up to the second recorded step and logarithmic beyond it. Losses of untrained models may
     be above the picture, and their marks are then at its edge. */
  const curves = ({models, levels = [], looks, step_label}, steps) => {
    const [width, height, left, right, top, bottom] = [360, 250, 58, 338, 16, 208];
    const losses = [...models.flatMap((model) => model.losses.slice(1)), ...levels];
    const [low, high] = [Math.min(...losses), Math.max(...losses)];
    const [first, last] = [steps[1] || 1, steps.at(-1) || 1];
    const x = (step) => left + (right - left) * Math.log1p(step / first) / Math.log1p(last / first);
    const y = (loss) => bottom - (bottom - top) * (loss - low) / (high - low || 1);
    const text = (words, x, y, anchor) => draw("text", {x, y, "text-anchor": anchor}, words);
    const line = (x1, y1, x2, y2) => draw("line", {x1, y1, x2, y2, stroke: "#8A8A8A"});

    const powers = [...Array(9).keys()].map((n) => 10 ** n);
    const stepTicks = [0, ...powers.filter((step) => step >= first && step <= last)];
    const size = 10 ** Math.floor(Math.log10((high - low) / 5 || 1));
    const gap = [1, 2, 5, 10].map((n) => n * size).find((one) => one >= (high - low) / 5) || 1;
    const lossTicks = [...Array(7).keys()].map((n) => (Math.ceil(low / gap) + n) * gap)
      .filter((loss) => loss <= high);
    const ticks = [
      ...stepTicks.flatMap((step) => [line(x(step), bottom, x(step), bottom + 5),
        text(step, x(step), bottom + 19, "middle")]),
      ...lossTicks.flatMap((loss) => [line(left - 5, y(loss), left, y(loss)),
        text(+loss.toPrecision(3), left - 8, y(loss) + 4, "end")])];

    const ofLevels = levels.map((loss, i) => ({loss, name: NAMES[i], letter: "GMS"[i]}))
      .sort((one, other) => other.loss - one.loss);
    let free = 0; // the letters of near levels stand below each other
    const levelLines = ofLevels.flatMap(({loss, name, letter}) => {
      free = Math.max(free + 13, y(loss) + 4);
      return [text(letter, right + 6, free, "start"), paint(draw("line", {x1: left, x2: right,
        y1: y(loss), y2: y(loss), "stroke-dasharray": looks[name].dash,
        style: "stroke: var(--ink)"}), looks[name])];
    });
    const paths = models.map(({title, steps, losses}) => paint(draw("polyline", {
      points: steps.map((step, i) => `${x(step).toFixed(1)},${y(losses[i]).toFixed(1)}`).join(" "),
      fill: "none", "stroke-width": 2, "stroke-dasharray": looks[title].dash,
      style: "stroke: var(--ink)"}), looks[title]));
    const now = line(left, top, left, bottom);
    const marks = models.map(({title}) => shape(looks[title]));
    const label = `Validation loss against the step: ${models.map(({title}) => title).join(", ")}.`;
    const svg = draw("svg", {class: "map", viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": label}, line(left, top, left, bottom), line(left, bottom, right, bottom),
    ...ticks, text(step_label, (left + right) / 2, height - 6, "middle"),
    draw("g", {transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`},
      text("validation loss (nats)", 0, 0, "middle")),
    now, ...levelLines, ...paths, ...marks);
    const update = (step, rows) => {
      now.setAttribute("transform", `translate(${x(step) - left})`);
      models.forEach(({steps, losses}, i) => marks[i].setAttribute("transform",
        `translate(${x(steps[rows[i]])} ${Math.max(6, y(losses[rows[i]]))}) scale(5)`));
    };
    return {svg, update};
  };

  const start = (root, data) => {
    const {splits, corners, looks, models} = data;
    const steps = [...new Set(models.flatMap((model) => model.steps))].sort((a, b) => a - b);
    const last = steps.length - 1;
    let index = last; // of the step that is shown
    let split = 0;
    let frame = null; // the next frame while the training plays

    const chart = curves(data, steps);
    const triangle = map(looks);
    const caption = make("caption", {});
    const columns = [["model"], ["loss"],
      ...NAMES.map((name, i) => [marker(looks[name]), ` to ${"GMS"[i]}`])];
    const head = make("tr", {}, ...columns.map((words) => make("th", {scope: "col"}, ...words)));
    const lines = models.map(({title}) => ({
      note: make("small", {}),
      loss: make("span", {class: "number"}),
      numbers: NAMES.map(() => make("span", {class: "number"})),
      lengths: NAMES.map(() => paint(make("span", {class: "length"}), looks[title])),
    }));
    const table = make("table", {class: "training"}, caption, make("thead", {}, head),
      make("tbody", {}, ...models.map(({title}, i) => make("tr", {},
        make("th", {scope: "row"}, marker(looks[title]), ` ${title}`, lines[i].note),
        make("td", {}, lines[i].loss),
        ...NAMES.map((_, k) => make("td", {}, lines[i].numbers[k], lines[i].lengths[k]))))));
    const nearest = make("span", {});
    const spoken = make("span", {class: "unseen"});
    const status = make("p", {role: "status", "aria-live": "polite"}, nearest, " ", spoken);

    const write = (element, value, text) => {
      element.textContent = text;
      element.dataset.exact = value;
    };
    const letterOf = (distances) => "GMS"[distances.indexOf(Math.min(...distances))];
    const show = () => {
      const step = steps[index];
      const rows = models.map((model) => model.steps.findLastIndex((one) => one <= step));
      const longest = Math.max(...models.flatMap((model) => model.distances[split].flat()));
      const notes = models.map((model) => (step > model.steps.at(-1)
        ? `ended after ${model.steps.at(-1)} steps` : ""));
      models.forEach((model, i) => {
        const {note, loss, numbers, lengths} = lines[i];
        note.textContent = notes[i];
        write(loss, model.losses[rows[i]], model.losses[rows[i]].toFixed(3));
        model.distances[split][rows[i]].forEach((distance, k) => {
          write(numbers[k], distance, distance.toPrecision(distance < 0.001 ? 2 : 3));
          lengths[k].style.width = `${100 * Math.sqrt(distance / longest)}%`; // as on the map
        });
      });
      chart.update(step, rows);
      const ends = models.map((model, i) =>
        `${model.title} is nearest to ${letterOf(model.distances[split][rows[i]])}`).join(", ");
      const paths = models.map((model, i) => ({title: model.title, look: looks[model.title],
        points: model.places[split].slice(0, rows[i] + 1)}));
      triangle.update({corners: corners[split], paths, text: `Map at step ${step}: ${ends}.`,
        inView: [...corners[split], ...models.flatMap((model) => model.places[split])]});
      caption.textContent = `Validation loss and distances ${splits[split]}, in nats. `
        + "Bars: square roots, like lengths on the map.";
      if (frame !== null) return; // while it plays, nothing is said
      nearest.textContent = `Step ${step}, ${splits[split]}: ${ends}.`;
      spoken.textContent = models.map(({title}, i) => title + (notes[i] && ` (${notes[i]})`)
        + `: loss ${lines[i].loss.textContent}, distances to G, M, S `
        + lines[i].numbers.map((number) => number.textContent).join(", ")).join("; ") + ".";
    };

    /* What a reader can do. */
    const scrubber = slider("Step", last, index, (value) => `${steps[value]}`, (value) => {
      stop();
      index = value;
      show();
    });
    const move = (value) => {
      index = Math.max(0, Math.min(last, value));
      scrubber.set(index);
      show();
    };
    const stop = () => {
      cancelAnimationFrame(frame);
      frame = null;
      playing.textContent = "Play";
    };
    const play = () => {
      if (frame !== null) {
        stop();
        show();
        return;
      }
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        move(index === last ? 0 : last);
        return;
      }
      const from = index === last ? 0 : index;
      let began = null;
      const next = (now) => {
        began ??= now;
        const value = Math.min(last, from + Math.floor(last * (now - began) / PLAY));
        frame = requestAnimationFrame(next);
        if (value === last) stop();
        move(value);
      };
      playing.textContent = "Pause";
      frame = requestAnimationFrame(next);
    };
    const walk = (by) => () => {
      stop();
      move(index + by);
    };
    const playing = button(play, "Play");
    const options = splits.map((title, i) => make("option", {value: i}, title));
    const where = make("select", {}, ...options);
    where.addEventListener("change", () => {
      split = +where.value;
      show();
    });

    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE), scrubber.element,
      group("Move through the training", button(walk(-1), "One step back"),
        button(walk(1), "One step on"), playing,
        ...(splits.length > 1 ? [make("label", {}, "Distances ", where)] : [])),
      make("div", {class: "views"}, chart.svg, triangle.svg), table, status);
    show();
    return live;
  };

  lexurn.register("training", start);
})();
