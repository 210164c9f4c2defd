/* Starts the explorables of a page of the site when they come into view, or nearly.

   An element names its files in their order: its scripts and, at the end, its data. Files are
   scripts too, because a page that is opened as a file may not fetch anything else. */
(() => {
  "use strict";
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  // file -> promise; one for all explorables of a page, each of which has this script
  const loading = globalThis.lexurnFiles ??= {};
  const load = (file) => loading[file] ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = folder + file;
    script.onload = done;
    script.onerror = () => failed(new Error(`The file ${file} cannot be loaded.`));
    document.head.append(script);
  });
  const say = (root, reason) => {
    const line = document.createElement("p");
    line.setAttribute("role", "status");
    line.textContent =
      `This figure cannot be used here; its picture stands in its place. ${reason}`;
    root.append(line);
  };
  const start = async (root) => {
    try {
      const files = root.dataset.files.split(" ");
      for (const file of files) await load(file);
      lexurn.run(root, lexurn.data[files.at(-1)]);
    } catch (error) {
      say(root, error.message);
    }
  };
  const inView = new IntersectionObserver((entries) => {
    for (const {target} of entries.filter(({isIntersecting}) => isIntersecting)) {
      inView.unobserve(target);
      start(target);
    }
  }, {rootMargin: "400px"});
  document.querySelectorAll(".explorable[data-files]:not([data-watched])").forEach((root) => {
    root.dataset.watched = "";
    inView.observe(root);
  });
})();
