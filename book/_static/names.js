/* Names for controls that have only an icon, and keys for what scrolls: for readers who hear the page,
   or use no mouse. */
document.addEventListener("DOMContentLoaded", () => {
  const ICONS = {"fa-play": "Play", "fa-pause": "Pause", "fa-stop": "Stop", "fa-retweet": "Repeat"};

  const nameWidgets = () => {
    for (const button of document.querySelectorAll("button.jupyter-button")) {
      const icon = Object.keys(ICONS).find((name) => button.querySelector(`.${name}`));
      if (icon && button.title !== ICONS[icon]) button.title = ICONS[icon];
    }
    for (const box of document.querySelectorAll(".widget-box")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // so that arrow keys scroll it
    }
    for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const label = handle.closest(".jupyter-widgets")?.querySelector(".widget-label");
      handle.setAttribute("aria-label", label?.textContent.trim() || "Value");
    }
  };

  for (const toggle of document.querySelectorAll("summary:has(.toctree-toggle)")) {
    toggle.setAttribute("aria-label", "Show or hide the pages of this part");
  }
  for (const table of document.querySelectorAll(".pst-scrollable-table-container")) {
    table.tabIndex = 0; // so that arrow keys scroll it
  }
  for (const summary of document.querySelectorAll('summary[aria-label="Toggle hidden content"]')) {
    summary.removeAttribute("aria-label"); // its text, Show code, is its name
  }
  document.querySelector(".citation-list")?.removeAttribute("role"); // a list without items
  // Its text, Search and the keys, is its name.
  document.querySelector(".search-button-field")?.removeAttribute("aria-label");
  new MutationObserver(nameWidgets).observe(document.body, {childList: true, subtree: true});
  nameWidgets();
});
