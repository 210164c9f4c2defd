/* How the search page ranks and shows its results. Sphinx puts this before its own search script.
   Chapters come first and the library last; each page has an excerpt around a word of the query. */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([name, , , , score]) =>
    score + (/^\d\d_/.test(name) ? 1000 : name.startsWith("api") ? -1000 : 0),
};

document.addEventListener("DOMContentLoaded", () => {
  const WIDTH = 110; // characters on either side of the word
  const query = new URLSearchParams(window.location.search).get("q") || "";
  const words = query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 1);
  const stemmer = typeof Stemmer === "undefined" ? null : new Stemmer(); // as in Sphinx's index
  const stems = words.map((word) => {
    const stem = stemmer ? stemmer.stemWord(word) : word;
    return word.startsWith(stem) ? stem : word;
  });

  /* The part of a text around the first word of the query, or its beginning. */
  const excerptOf = (text) => {
    const lower = text.toLowerCase();
    const places = stems.map((stem) => lower.indexOf(stem)).filter((place) => place >= 0);
    const middle = places.length ? Math.min(...places) : 0;
    const start = Math.max(middle - WIDTH, 0);
    let part = text.slice(start, middle + WIDTH);
    if (start > 0) part = part.replace(/^\S*\s/, "… ");
    return middle + WIDTH < text.length ? part.replace(/\s\S*$/, " …") : part;
  };

  const show = (item) => {
    const link = item.querySelector("a");
    if (!link || item.querySelector("p")) return;
    const page = link.getAttribute("href").replace(/\.html.*$/, "");
    const paragraph = document.createElement("p");
    paragraph.className = "context";
    const parts = excerptOf((window.lexurnTexts || {})[page] || "").split(/([\p{L}\p{N}]+)/u);
    for (const part of parts) {
      const isFound = part && stems.some((stem) => part.toLowerCase().startsWith(stem));
      const node = isFound ? document.createElement("mark") : document.createTextNode(part);
      if (isFound) node.textContent = part;
      paragraph.append(node);
    }
    item.append(paragraph);
  };

  const results = document.getElementById("search-results");
  if (!results) return;
  const showAll = () => results.querySelectorAll("ul.search > li").forEach(show);
  new MutationObserver(showAll).observe(results, {childList: true, subtree: true});
});
