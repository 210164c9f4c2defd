// Font Awesome does not replace the icons of buttons, and labels of widgets, which ask for version 2 of MathJax, are set
// by the MathJax that the page has loaded.
FontAwesome.config.observeMutations = false;
window.MathJax = Object.assign(window.MathJax || {}, {
  Hub: {Queue() {}},
  startup: {
    ready() {
      MathJax.startup.defaultReady();
      MathJax.Hub = {Queue: ([, , element]) => MathJax.typesetPromise([element])};
    }
  }
});
