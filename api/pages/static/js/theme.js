// Before the first paint: the colours that were chosen last time.
(() => {
  const chosen = localStorage.getItem("riskscope-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
