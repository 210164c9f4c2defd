/* Type a prompt of a's and b's: see how trained models complete it, which rules of a^n b^n they
   keep, and what they expect at every place.

   Data: looks (by the titles of models, the tokens EOS, a and b, and the verdicts kept, broken and
   not ended), prompt (at the beginning), prompts (to try), hint (what to look for), n_samples,
   seed, and models (trained ones as network.js reads them, each with its title). */
(() => {
  "use strict";
  const {make, draw, paint, button, group, marker, randomStream, drawFrom} = lexurn.parts;
  const LANGUAGE = "aNbN";
  const TOKENS = {EOS: 1, a: 3, b: 4};
  const NAMES = Object.keys(TOKENS);
  const LETTERS = lexurn.letters[LANGUAGE];
  const SIGNS = {kept: "✓", broken: "✗", "not ended": "…"};
  const [END, NO_END] = ["■", "…"];
  const [WIDTH, TOP, HEIGHT, MAX_COLUMN] = [340, 18, 44, 26]; // of a strip of bars
  const STYLE = `
.explorable .controls button { min-width: 2.75rem; min-height: 2.75rem; }
.explorable .prompt { font: 1.05rem monospace; min-height: 2.75rem; flex: 1 1 10rem;
  min-width: 8rem; padding: 0.2rem 0.5rem; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 0.4rem; }
.explorable .models { display: grid; gap: 0.4rem 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); }
.explorable .strip { display: block; width: 100%; height: auto; }
.explorable .strip text { font: 12px monospace; fill: currentColor; text-anchor: middle; }
.explorable .strip .written { font-weight: bold; }
.explorable .string { font-family: monospace; overflow-wrap: anywhere; }
.explorable .models table { font-size: 0.85rem; }
.explorable .models thead th:first-child { width: 20%; }
.explorable .models th:nth-child(n + 3) { width: 23%; }
.explorable .models :is(th, td) { padding-left: 0; }
.explorable sup { font-size: 0.75em; line-height: 0; }
.explorable [data-verdict] { color: var(--ink); font-weight: bold; }
.explorable .swatch { display: inline-block; width: 0.8rem; height: 0.8rem;
  background-color: var(--ink); print-color-adjust: exact; }
.explorable .bar { display: block; height: 0.9rem; margin-top: 0.1rem; min-width: 1px;
  background-color: var(--ink); print-color-adjust: exact; }`;

  const count = (string, letter) => string.split(letter).length - 1;
  const percent = (p) => `${+(100 * p).toFixed(1)} %`;
  const encode = (string) => lexurn.encode(LANGUAGE, string);

  /* What becomes of rule 1, as many a's as b's, and of rule 2, every a before every b. A string
     that has not ended keeps no rule, and it breaks rule 2 for good if an a follows a b. */
  const judge = (string, hasEnded) => {
    const isBalanced = count(string, "a") === count(string, "b");
    const isInOrder = !string.includes("ba");
    return [
      hasEnded ? (isBalanced ? "kept" : "broken") : "not ended",
      isInOrder ? (hasEnded ? "kept" : "not ended") : "broken",
    ];
  };

  /* What the oracle knows of a prompt: `law`, the probabilities of the next token, or null if no
     string begins so; and in words what may follow, or else what rule 1 asks for. */
  const consultOracle = (prompt, maxLength) => {
    const rows = lexurn.oracles[LANGUAGE](prompt, {max_length: maxLength});
    const possible = (row) => NAMES.filter((name) => rows[row][TOKENS[name]] > 0);
    const after = (string) => (string ? `after ${string}` : "at the beginning");
    const wrong = encode(prompt).findIndex((token, row) => rows[row][token] === 0);
    if (wrong < 0) {
      const law = rows.at(-1);
      const shares = possible(prompt.length)
        .map((name) => `${name} ${percent(law[TOKENS[name]])}`);
      const says = `${after(prompt)}, the oracle expects ${shares.join(", ")}.`;
      return {law, text: says[0].toUpperCase() + says.slice(1)};
    }
    const difference = count(prompt, "a") - count(prompt, "b");
    const [more, fewer] = difference > 0 ? "ba" : "ab";
    const missing = Math.abs(difference);
    const room = maxLength - prompt.length;
    const letters = missing === 1 ? more : `${more}'s`;
    const asked = `Rule 1 asks for ${missing} more ${letters} than ${fewer}'s`;
    const rule = missing === 0 ? "Rule 1 is kept by EOS now, or after as many further a's as b's."
      : `${asked}, ${missing > room ? `but there is room for ${room} only` : "and then EOS"}.`;
    return {law: null, text: `No string of at most ${maxLength} letters begins with ${prompt}: `
      + `${after(prompt.slice(0, wrong))}, only ${possible(wrong).join(" or ")} may follow. `
      + rule};
  };

  /* The greedy completion, or one that is drawn with random numbers. */
  const complete = (network, prompt, maxLength, random) => {
    for (let string = prompt; ;) {
      const probs = network(encode(string)).at(-1);
      const token = random ? drawFrom(probs, random) : probs.indexOf(Math.max(...probs));
      if (token === TOKENS.EOS) return {string, hasEnded: true};
      if (string.length === maxLength) return {string, hasEnded: false};
      string += NAMES.find((name) => TOKENS[name] === token);
    }
  };

  /* A string with long runs of a letter as powers, and in words. */
  const runs = (string) => string.match(/(.)\1*/g) || [];
  const shorten = (string) => runs(string).flatMap((run) =>
    (run.length > 3 ? [run[0], make("sup", {}, run.length)] : [run]));
  const spell = ({string, hasEnded}) => [
    ...runs(string).map((run) => (run.length > 1 ? `${run.length} ${run[0]}'s` : run)),
    hasEnded ? "EOS" : "no EOS"].join(", ");

  /* The letters of a string, and under each of them a bar of what was expected in its place: from
     the bottom, EOS, a and b. */
  const strip = ({title, prompt, completion, rows, looks, nPlaces}) => {
    const width = Math.min(WIDTH / nPlaces, MAX_COLUMN);
    const letters = [...completion.string, completion.hasEnded ? END : NO_END];
    const bar = (probs, row) => {
      let y = TOP + HEIGHT;
      return NAMES.map((name) => {
        const p = probs[TOKENS[name]];
        y -= p * HEIGHT;
        const place = {x: (row + 0.1) * width, y, width: 0.8 * width, height: p * HEIGHT};
        return paint(draw("rect", {...place, style: "fill: var(--ink)"}), looks[name]);
      });
    };
    const says = ([name, token], probs) => `${name} ${percent(probs[token])}`;
    const expected = rows.map((probs, row) => `${row + 1}. `
      + Object.entries(TOKENS).map((entry) => says(entry, probs)).join(", "));
    const edge = prompt.length * width;
    return draw("svg", {class: "strip", role: "img",
      viewBox: `0 0 ${WIDTH} ${TOP + HEIGHT + 2}`,
      "aria-label": `Greedy completion by ${title}: ${spell(completion)}. `
        + `Expected place by place: ${expected.join("; ")}.`},
    ...letters.map((letter, row) => draw("text", {x: (row + 0.5) * width, y: 12,
      class: row < prompt.length ? "given" : "written"}, letter)),
    ...rows.flatMap(bar),
    draw("line", {x1: edge, x2: edge, y1: 0, y2: TOP + HEIGHT, stroke: "currentColor",
      "stroke-dasharray": "3 2"}));
  };

  const start = (root, data) => {
    const {looks, models, prompts} = data;
    const titles = models.map(({title}) => title);
    const networks = models.map((model) => lexurn.network(model));
    const maxLength = models[0].context_length;
    let prompt = data.prompt;
    let deal = 0; // how often the reader has asked for new samples

    /* The page. */
    const heads = (names) => make("thead", {},
      make("tr", {}, ...names.map((name) => make("th", {scope: "col"}, name))));
    const verdictCell = (verdict) => paint(make("td", {"data-verdict": verdict},
      make("span", {"aria-hidden": "true"}, `${SIGNS[verdict]} `), verdict), looks[verdict]);
    const stringRow = (decoding, completion) => {
      const written = completion.string.slice(prompt.length);
      return make("tr", {},
        make("th", {scope: "row"}, decoding),
        make("td", {class: "string"},
          make("span", {"aria-hidden": "true"}, ...shorten(prompt),
            make("strong", {}, ...shorten(written), completion.hasEnded ? END : NO_END)),
          make("span", {class: "unseen"}, spell(completion))),
        ...judge(completion.string, completion.hasEnded).map(verdictCell));
    };
    const modelBlock = ({title, completion, sampled, ...rest}) =>
      make("div", {class: "model", role: "group", "aria-label": title},
        make("p", {}, marker(looks[title]), " ", make("strong", {}, title)),
        strip({title, prompt, completion, looks, ...rest}),
        make("table", {},
          make("caption", {class: "unseen"}, `Completions by ${title}`),
          heads(["decoding", "string", "rule 1", "rule 2"]),
          make("tbody", {}, stringRow("greedy", completion),
            ...sampled.map((one) => stringRow("sampled", one)))));
    const lawRow = (title, probs) => make("tr", {},
      make("th", {scope: "row"}, ...(looks[title] ? [marker(looks[title]), " "] : []), title),
      ...(probs === null ? [make("td", {colspan: 3}, "no string begins so")] : NAMES.map((name) => {
        const p = probs[TOKENS[name]];
        const bar = paint(make("span", {class: "bar"}), looks[name]);
        bar.style.width = `${100 * p}%`;
        return make("td", {}, make("span", {class: "number", "data-exact": p}, p.toFixed(3)), bar);
      })));
    const input = make("input", {type: "text", class: "prompt", autocapitalize: "none",
      autocomplete: "off", spellcheck: "false"});
    const advice = make("p", {class: "advice"});
    const status = make("p", {role: "status", "aria-live": "polite", class: "happened"});
    const blocks = make("div", {class: "models"});
    const table = make("table", {});

    const show = (text) => {
      if (input.value !== prompt) input.value = prompt;
      choices.forEach((choice, i) => choice.setAttribute("aria-pressed", prompts[i] === prompt));
      const {law, text: says} = consultOracle(prompt, maxLength);
      advice.textContent = says;
      /* All models draw with the same random numbers, so that they differ by what they expect. */
      const samples = Array.from({length: data.n_samples}, (_, k) =>
        data.seed + deal * data.n_samples + k);
      const all = networks.map((network, i) => {
        const completion = complete(network, prompt, maxLength);
        return {
          title: titles[i],
          completion,
          sampled: samples.map((seed) =>
            complete(network, prompt, maxLength, randomStream(seed))),
          rows: network(encode(completion.string)),
        };
      });
      const nPlaces = Math.max(...all.map(({rows}) => rows.length));
      blocks.replaceChildren(...all.map((one) => modelBlock({...one, nPlaces})));
      table.replaceChildren(
        make("caption", {}, prompt ? `What follows ${prompt}?` : "What comes first?"),
        heads(["who", ...NAMES]),
        make("tbody", {}, lawRow("oracle", law),
          ...all.map(({title, rows}) => lawRow(title, rows[prompt.length]))));
      const verdicts = Object.keys(SIGNS).map((verdict) => [verdict,
        all.filter(({completion: {string, hasEnded}}) => judge(string, hasEnded)[0] === verdict)]);
      status.textContent = `${text}Rule 1 in greedy completions of ${prompt || "nothing"}: `
        + verdicts.filter(([, these]) => these.length).map(([verdict, these]) =>
          `${verdict} by ${these.map(({title}) => title).join(", ")}`).join("; ") + ".";
    };

    /* What a reader can do. */
    const write = (text) => {
      const known = [...text.toLowerCase()].filter((letter) => LETTERS.includes(letter));
      prompt = known.slice(0, maxLength).join("");
      deal = 0;
      show(known.length < [...text].length ? "A prompt has only the letters a and b. "
        : known.length > maxLength ? `A prompt has at most ${maxLength} letters. ` : "");
    };
    const sampleAgain = () => {
      deal += 1;
      show("New samples. ");
    };
    const choices = prompts.map((text) => button(() => write(text), text));
    input.addEventListener("input", () => write(input.value));
    const swatch = (name, text) =>
      [paint(make("span", {class: "swatch", "aria-hidden": "true"}), looks[name]), ` ${text} `];
    const live = make("div", {class: "live", role: "group", "aria-label": root.dataset.alt},
      make("style", {}, STYLE),
      make("p", {}, data.hint),
      make("label", {class: "controls"}, make("span", {class: "title"}, "Prompt"), input),
      group("Change the prompt",
        ...[...LETTERS].map((letter) => button(() => write(prompt + letter), `Add ${letter}`)),
        button(() => write(prompt.slice(0, -1)), "Delete last"),
        button(() => write(""), "Start again"), button(sampleAgain, "Sample again")),
      group("Prompts to try", "Try", ...choices),
      advice, status,
      make("p", {}, "Rule 1: as many a's as b's. Rule 2: every a before every b. A string without "
        + `EOS after ${maxLength} letters (${NO_END}) keeps no rule. Samples of all networks are `
        + "drawn with the same random numbers."),
      make("p", {}, "Bars show what was expected in the place of the letter above; the prompt "
        + "ends at the dashed line. From the bottom: ",
      ...swatch("EOS", `EOS (${END}),`), ...swatch("a", "a,"), ...swatch("b", "b.")),
      blocks, table);
    show("");
    return live;
  };

  globalThis.lexurn.judgeString = judge;
  lexurn.register("prompt", start);
})();
