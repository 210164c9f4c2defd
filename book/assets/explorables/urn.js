/* The live urn: draw balls, and see what the students and trained models expect next; rename the
   colours; follow the models on the map; guess which student a hidden model is.

   Data: colors (their names), urns (the pool; balls are drawn from the first one), alpha (1 by
   default), balls (the sequence at the beginning), epsilon, seed, looks (by the names of colours,
   students and models: {light, dark, marker, dash}), and models (trained ones as network.js reads
   them, each with its title and perhaps what it does). */
(() => {
  "use strict";
  const {make, paint, button, group, slider, map, marker, randomStream, drawFrom} = lexurn.parts;
  const MAX_BALLS = 60;
  const TOLERANCE = 1e-12;
  const LAST_STEP = 20; // of the sliders of an urn
  const CORNERS = ["generalizing", "memorizing", "symmetrized"];
  const PLACES = [[0, 0], [1, 0], [0.5, 0.87]]; // of G, M and S on the map
  const STUDENTS = [
    {name: "generalizing", letter: "G", does: "counts"},
    {name: "memorizing", letter: "M", does: "remembers"},
    {name: "symmetrized", letter: "S", does: "remembers without names"},
    {name: "doubting", letter: "B", does: "S with doubt"},
  ];
  const NOBODY = {light: "#222832", dark: "#CED6DD", marker: "o", dash: ""}; // the hidden one
  const STYLE = `
.explorable .balls { display: flex; flex-wrap: wrap; gap: 0.2rem; min-height: 1.5rem;
  list-style: none; margin: 0.4rem 0; padding: 0; }
.explorable .balls li { margin: 0; }
.explorable .ball { display: inline-block; width: 1.4rem; line-height: 1.4rem; font-size: 0.85rem;
  border-radius: 50%; text-align: center; color: #FFFFFF; background: var(--light); }
.explorable .bar { display: block; height: 0.9rem; margin-top: 0.1rem; min-width: 1px;
  background-color: var(--ink); print-color-adjust: exact; }
.explorable .bar.memorizing { background-image: repeating-linear-gradient(135deg,
  transparent 0 4px, rgba(255, 255, 255, 0.7) 4px 6px); }
.explorable .bar.symmetrized { background-image: radial-gradient(rgba(255, 255, 255, 0.8) 1.3px,
  transparent 1.6px); background-size: 6px 6px; }
.explorable .bar.doubting { background-image: repeating-linear-gradient(90deg,
  transparent 0 4px, rgba(255, 255, 255, 0.7) 4px 6px); }`;

  const start = (root, data) => {
    const {colors, epsilon, looks, alpha = 1, models = []} = data;
    const networks = models.map((model) => lexurn.network(model));
    const trained = models.map(({title, does = ""}) => ({name: title, letter: title, does}));
    const shown = [...STUDENTS, ...trained];
    const maxBalls = Math.min(MAX_BALLS, ...models.map((model) => model.context_length));
    const random = randomStream(data.seed);
    const unchanged = colors.map((_, v) => v);
    let past = []; // states that *undo* returns to
    let state = { // names: colour of the urn -> its name now; own: sliders of the reader's own urn
      balls: data.balls, names: unchanged, urns: data.urns, own: colors.map(() => LAST_STEP / 2)};
    let fresh = null; // shares of the fresh urn that this sequence draws from
    let hidden = null; // who has to be guessed

    const ball = (v, attributes = {"aria-hidden": "true"}) =>
      paint(make("span", {class: "ball", ...attributes}, colors[v][0]), looks[colors[v]]);
    const percents = (shares, names = unchanged) => shares
      .map((share, v) => `${+(100 * share).toFixed(1)} % ${colors[names[v]]}`).join(", ");
    const predict = ({balls, names, urns}) => {
      const rows = lexurn.predict(balls, {urns, epsilon, alpha});
      models.forEach(({title}, i) => { rows[title] = networks[i](balls, names); });
      return rows;
    };
    predict(state); // stops here if the data are wrong
    const last = (rows) => shown.map(({name}) => rows[name].at(-1));
    const isCovered = (who) => hidden !== null && (models.length === 0 || trained.includes(who));

    /* The page. */
    const list = make("ol", {class: "balls", "aria-label": "balls so far"});
    const urnLine = make("p", {});
    const happened = make("span", {});
    const numbers = make("span", {class: "unseen"});
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"},
      happened, " ", numbers);
    const head = make("tr", {}, make("th", {scope: "col"}, "who"),
      ...colors.map((name, v) => make("th", {scope: "col"}, ball(v), ` ${name}`)));
    const makeLine = ({name, letter, does}, look) => {
      const symbol = letter === "B" ? [make("em", {}, "B"), make("sub", {}, "ε")] : [letter];
      const title = make("th", {scope: "row"},
        marker(look), " ", make("strong", {}, ...symbol), ` ${does}`);
      const cells = colors.map(() => ({
        number: make("span", {class: "number"}),
        bar: paint(make("span", {class: `bar ${name}`}), look),
      }));
      const row = make("tr", {}, title,
        ...cells.map(({number, bar}) => make("td", {}, number, bar)));
      const write = (shares) => shares.forEach((p, v) => {
        cells[v].number.textContent = p.toFixed(3);
        cells[v].number.dataset.exact = p;
        cells[v].bar.style.width = `${100 * p}%`;
      });
      return {row, write};
    };
    const lines = shown.map((who) => makeLine(who, looks[who.name]));
    const hiddenLine = makeLine({name: "", letter: "?", does: "who is it?"}, NOBODY);
    const caption = make("caption", {class: "unseen"}, "Probabilities of the next ball");
    const rows = [...lines, hiddenLine].map(({row}) => row);
    const table = make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows));
    const triangle = map(looks);
    const mapLine = make("p", {});

    /* A sequence has a map of its own: distances are means over the balls so far. It is drawn with
       sides of equal length, and whoever is not at a corner is put at the same mixture of them. */
    const way = (rows, name) => rows[name].flatMap((_, t) => {
      const upTo = (who) => rows[who].slice(0, t + 1);
      const references = Object.fromEntries(CORNERS.map((corner) => [corner, upTo(corner)]));
      const corners = lexurn.corners(references);
      if (corners === null) return [];
      const [x, y] = lexurn.place(lexurn.distances(upTo(name), references), corners);
      const [top, height] = corners.symmetrized;
      const ofS = y / height;
      const ofM = (x - ofS * top) / corners.memorizing[0];
      return [[ofM * PLACES[1][0] + ofS * PLACES[2][0], ofS * PLACES[2][1]]];
    });
    const letterOf = (name) => name[0].toUpperCase();
    const nearest = (distances) => letterOf(
      CORNERS.reduce((one, two) => (distances[two] < distances[one] ? two : one)));
    const showMap = (rows) => {
      const movers = shown.filter((who) => !CORNERS.includes(who.name) && !isCovered(who));
      const paths = movers.map(({name}) => ({look: looks[name], points: way(rows, name)}));
      const ends = movers.filter((_, i) => paths[i].points.length).map(({name, letter}) =>
        `${letter} is nearest to ${nearest(lexurn.distances(rows[name], rows))}`);
      triangle.update({corners: PLACES, paths, inView: [[0, -0.1], [1.1, 1.05]],
        text: `Map: ${ends.join("; ")}.`});
      mapLine.textContent = ends.length ? "The map: who is near a corner has predicted like that "
        + "student, on average over the balls so far. A line shows the way there."
        : "The map shows who has predicted like which student, once there are balls for which G, M "
          + "and S differ.";
    };
    const show = (text) => {
      const {balls, names, urns} = state;
      list.replaceChildren(...balls.map((v) =>
        make("li", {}, ball(v, {role: "img", "aria-label": colors[v]}))));
      const isRenamed = names.some((name, v) => name !== v);
      const learned = urns.length === 1 ? "the urn" : "urns, the first of them";
      urnLine.textContent = `M has learned ${learned} with ${percents(urns[0])}. `
        + (isRenamed ? `After renaming, you draw from ${percents(urns[0], names)}. ` : "")
        + `Balls so far: ${balls.length}.`;
      const all = predict(state);
      const said = shown.flatMap((who, i) => {
        const shares = all[who.name].at(-1);
        lines[i].row.hidden = isCovered(who);
        lines[i].write(shares);
        return isCovered(who) ? [] : [[who.letter, shares]];
      });
      answers.hidden = hiddenLine.row.hidden = hidden === null;
      play.button.hidden = hidden !== null;
      if (hidden) {
        hiddenLine.write(all[hidden.name].at(-1));
        said.push(["hidden", all[hidden.name].at(-1)]);
      }
      showMap(all);
      showOwn();
      happened.textContent = text;
      numbers.textContent = `Next ball ${colors.join(", ")}: ` + said.map(([letter, shares]) =>
        `${letter} ${shares.map((p) => p.toFixed(2)).join(" ")}`).join("; ") + ".";
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
      draw(state.names[drawFrom(fresh, random)],
        ", from a fresh urn, which no student knows; it stays the same until you start again");
    };
    const rename = () => {
      const next = (v) => (v + 1) % colors.length;
      const renamed = {balls: state.balls.map(next), names: state.names.map(next),
        own: colors.map((_, v) => state.own[(v + colors.length - 1) % colors.length])};
      const before = last(predict(state));
      const after = last(predict({...state, ...renamed}));
      const changes = shown.map((who, i) => ({who, size: Math.max(
        ...before[i].map((p, v) => Math.abs(after[i][next(v)] - p)))}))
        .filter(({who}) => !isCovered(who));
      const same = changes.filter(({size}) => size < TOLERANCE).map(({who}) => who.letter);
      const other = changes.filter(({size}) => size >= TOLERANCE)
        .sort((one, two) => two.size - one.size)
        .map(({who, size}) => `${who.letter} by up to ${size.toPrecision(2)}`);
      const moved = colors.map((name, v) => `${name} is now called ${colors[next(v)]}`).join(", ");
      change(renamed, `${state.balls.length ? "The same balls under other names" : "Other names"}: `
        + `${moved}. `
        + (same.length ? `Predictions that moved with the names: ${same.join("; ")}. ` : "")
        + (other.length ? `Predictions that changed: ${other.join("; ")}.` : ""));
    };
    const undo = () => {
      const isLast = past.length === 0;
      state = past.pop() || state;
      show(isLast ? "There is nothing to undo." : "Undone.");
    };
    const restart = () => {
      fresh = null;
      change({balls: [], names: unchanged, urns: data.urns}, "No ball has been drawn.");
    };

    /* The urn of the reader. */
    const total = () => state.own.reduce((sum, part) => sum + part, 0);
    const ownShares = () => state.own.map((part) => part / total());
    const withOwn = (act) => () => {
      if (total() > 0) act();
      else show("Your urn is empty. Move at least one of its sliders.");
    };
    const ownLine = make("p", {});
    const sliders = colors.map((name, v) => slider(name, LAST_STEP, state.own[v],
      (part) => (part === 1 ? "1 part" : `${part} parts`), (part) => {
        state = {...state, own: state.own.map((old, i) => (i === v ? part : old))};
        showOwn();
      }));
    const showOwn = () => {
      sliders.forEach(({set}, v) => set(state.own[v]));
      ownLine.textContent = total() > 0
        ? `Your urn: ${percents(ownShares())}.` : "Your urn is empty.";
    };
    const drawOwn = () => draw(drawFrom(ownShares(), random), ", from your urn");
    const learn = () => change({urns: [ownShares()], names: unchanged},
      `M, S and the student with doubt have now learned your urn: ${percents(ownShares())}.`);
    const ownUrn = make("details", {}, make("summary", {}, "An urn of your own"),
      ...sliders.map(({element}) => element), ownLine,
      group("Your urn", button(withOwn(drawOwn), "Draw from your urn"),
        ...(models.length ? [] : [button(withOwn(learn), "Let them learn your urn")])));

    /* The game: who is hidden, or which student a hidden network is nearest to. */
    const candidates = models.length ? trained
      : STUDENTS.filter(({name}) => CORNERS.includes(name));
    const answers = group("The hidden one is",
      models.length ? "Over these balls, it is nearest to " : "It is ",
      ...[..."GMS"].map((letter) => button(() => guess(letter), letter)),
      button(() => guess(""), "Give up"));
    const play = () => {
      hidden = candidates[Math.floor(random() * candidates.length)];
      show(`A ${models.length ? "network" : "student"} is hidden behind the question mark. `
        + "Draw balls and rename the colours: " + (models.length
        ? "which student has predicted most like it, on average over the balls?" : "who is it?"));
    };
    play.button = button(play, "Hide one, and guess");
    const guess = (letter) => {
      const rows = predict(state);
      const far = models.length ? lexurn.distances(rows[hidden.name], rows) : null;
      if (far && lexurn.corners(rows) === null) {
        show("For these balls, G, M and S do not differ enough. Draw some more.");
        return;
      }
      const answer = far ? nearest(far) : hidden.letter;
      const verdict = {[answer]: "Right: ", "": ""}[letter] ?? "No: ";
      const revealed = hidden;
      hidden = null;
      show(verdict + (far
        ? `it is the network ${revealed.letter}, nearest to ${answer}. Its distances in nats are `
          + CORNERS.map((name) => `${far[name].toPrecision(2)} to ${letterOf(name)}`).join(", ")
        : `it is ${answer}`) + ".");
    };
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE),
      group("Draw a ball of a colour",
        ...colors.map((name, v) => button(() => draw(v, ""), ball(v), ` Draw ${name}`))),
      group("Draw a ball by chance",
        button(() => draw(state.names[drawFrom(state.urns[0], random)], ", from the urn of M"),
          "Draw from M's urn"),
        button(drawFresh, "Draw from a fresh urn")),
      group("Change the sequence",
        button(rename, "Rename colours"), button(undo, "Undo"), button(restart, "Start again"),
        play.button),
      ownUrn, urnLine, list, status, answers, table, triangle.svg, mapLine);
    show("Rename the colours: which students change their minds?");
    return live;
  };

  lexurn.register("urn", start);
})();
