// What every page does: tells the server the viewer's time zone, shows the place in the bar, switches the theme, closes open menus.

function rememberZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `tz=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

function switchTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", next);
    window.dispatchEvent(new Event("omil:theme"));
  } catch {
    document.documentElement.dataset.theme = next; // Storage is forbidden: the choice holds for this page only.
  }
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const escaped = event.type === "keydown" && event.key === "Escape";
    const outside = event.type === "click" && !menu.contains(event.target);
    if (!escaped && !outside) continue;
    menu.open = false;
    if (escaped) menu.querySelector("summary").focus();
  }
}

/** On a phone that is too narrow for all places. */
function showPlace() {
  const current = document.querySelector(".places [aria-current]")?.parentElement;
  if (current) current.parentElement.scrollLeft = current.offsetLeft - (current.parentElement.clientWidth - current.offsetWidth) / 2;
}

rememberZone();
showPlace();
document.querySelector("[data-theme-switch]")?.addEventListener("click", switchTheme);
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);
for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
