// Keeps the list of what is wrong with cameras up to date; pages stay open for days.

const EVERY_MS = 10_000;
const place = document.querySelector("[data-camera-alarms]");
let shown = "";

async function look() {
  if (document.hidden) return;
  let html;
  try {
    const response = await fetch(place.dataset.cameraAlarms, { cache: "no-store" });
    if (!response.ok || response.redirected) return;
    html = (await response.text()).trim();
  } catch {
    return; // The page says by itself when the server is out of reach.
  }
  if (html === shown) return; // What has not changed is not read out again, and what was opened stays open.
  shown = html;
  place.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
}

if (place) {
  look();
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
