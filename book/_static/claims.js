/* The page of claims: show only the rows that match a word, a family, a verdict. Without this
   script, all rows are shown. */
document.addEventListener("DOMContentLoaded", () => {
  const tables = [...document.querySelectorAll("table.claims")];
  if (!tables.length) return;
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const sectionOf = (row) => row.closest("section");
  const titleOf = (section) => section.querySelector("h2").firstChild.textContent.trim();
  const verdictOf = (row) => row.cells[0].textContent.trim();

  const form = document.createElement("form");
  form.className = "claims-filter";
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter claims");
  form.addEventListener("submit", (event) => event.preventDefault());
  const labelled = (text, control) => {
    const label = document.createElement("label");
    label.append(text, " ", control);
    form.append(label);
    return control;
  };
  const choice = (text, values) => {
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...[...new Set(values)].map((each) => new Option(each)));
    return labelled(text, select);
  };
  const word = labelled("Containing", document.createElement("input"));
  word.type = "search";
  const family = choice("Family", rows.map(sectionOf).map(titleOf));
  const verdict = choice("Verdict", rows.map(verdictOf));
  const count = document.createElement("output");
  form.append(count);

  const filter = () => {
    const wanted = word.value.trim().toLowerCase();
    for (const row of rows) {
      row.hidden =
        !row.textContent.toLowerCase().includes(wanted) ||
        (family.value && titleOf(sectionOf(row)) !== family.value) ||
        (verdict.value && verdictOf(row) !== verdict.value);
    }
    for (const table of tables) {
      sectionOf(table).hidden = [...table.tBodies[0].rows].every((row) => row.hidden);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} claims shown`;
  };
  form.addEventListener("input", filter);
  sectionOf(tables[0]).before(form);
  filter();
});
