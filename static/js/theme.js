// Sets the theme before the first paint, so that no page flashes; loaded in <head>, not deferred.
// The key and its values are those of the Django admin: one choice serves both.
(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // Storage may be forbidden; the system's choice still holds.
    }
  };
  const apply = () => {
    const chosen = read();
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  window.addEventListener("omil:theme", apply);
})();
