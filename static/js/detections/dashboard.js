// The operators' dashboard: tiles, their filter, keys, the wall, and the list of visits as they come.

import { Feed } from "./feed.js";
import { watch } from "./watch.js";
import { countText } from "../lib/texts.js";

const RENEW_MS = 60_000;
const root = document.querySelector("[data-dashboard]");
const grid = root.querySelector("[data-tiles]");
const filter = root.querySelector("[data-filter]");
const list = root.querySelector("[data-feed]");
const [peopleTotal, troubleTotal] = ["people-total", "trouble-total"].map((name) => document.querySelector(`[data-${name}]`));
const empty = root.querySelector("[data-feed-empty]");
let tiles = new Map();

const feed = new Feed("[data-feed]", {
  nameOf: (slug) => tiles.get(slug)?.name ?? slug,
  limit: Number(list.dataset.length),
  onGrow() {
    empty.hidden = true;
  },
});

function applyFilter() {
  const wanted = new FormData(filter);
  const name = (wanted.get("q") ?? "").trim().toLocaleLowerCase();
  let shown = 0;
  for (const tile of tiles.values()) {
    const fits =
      tile.name.toLocaleLowerCase().includes(name) &&
      (!wanted.get("unit") || wanted.get("unit") === tile.element.dataset.unit) &&
      (!wanted.has("people") || tile.people > 0);
    tile.element.hidden = !fits;
    shown += fits;
  }
  root.querySelector("[data-none]").hidden = shown > 0;
  fitWall(shown);
}

/** The filter is part of the address: a wall screen's bookmark keeps it. */
function keepFilter() {
  const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value)).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

function readFilter() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = filter.elements.namedItem(name);
    if (field?.type === "checkbox") field.checked = value === field.value;
    else if (field) field.value = value;
  }
}

/** As many columns as make the tiles largest on this screen. */
function fitWall(shown) {
  const shape = screen.width / screen.height / (16 / 10);
  grid.style.setProperty("--columns", Math.max(1, Math.round(Math.sqrt(shown * shape))));
}

function total(element, key, count) {
  element.hidden = count === 0;
  element.textContent = countText(key, count);
}

function refresh() {
  const all = [...tiles.values()];
  total(peopleTotal, "total.people", all.reduce((sum, tile) => sum + tile.people, 0));
  total(troubleTotal, "total.trouble", all.filter((tile) => tile.isTroubled).length);
  applyFilter();
}

async function toggleWall() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await grid.requestFullscreen?.().catch(() => {}); // Not every browser lets a page do it (phones).
}

function step(from, by) {
  const shown = [...grid.children].filter((element) => !element.hidden);
  shown[shown.indexOf(from) + by]?.focus();
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
  const element = event.target.closest("[data-tile]");
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key === "/") filter.elements.namedItem("q").focus();
  else if (event.key === "w" || event.key === "W") toggleWall();
  else if (!element) {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    grid.querySelector("[data-tile]:not([hidden])")?.focus();
  } else if (event.key in moves) step(element, moves[event.key]);
  else if (event.key === "f" || event.key === "F") tiles.get(element.dataset.camera).toggleFullScreen();
  else if (event.key === "Enter" && event.target === element) element.querySelector("a").click();
  else return;
  event.preventDefault();
}

/** A camera that was added, or taken away, appears or goes without anyone's help: nobody reloads a wall screen. */
async function renewTiles() {
  const answer = await fetch(location.pathname, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  renew(page.querySelectorAll("[data-tile]"));
}

readFilter();
const watching = watch(root, { feed, onChange: refresh, onReturn: renewTiles });
const { renew } = watching;
tiles = watching.tiles;
refresh();
setInterval(renewTiles, RENEW_MS);
filter.addEventListener("input", () => {
  applyFilter();
  keepFilter();
});
filter.addEventListener("submit", (event) => event.preventDefault());
root.querySelector("[data-wall]").addEventListener("click", toggleWall);
document.addEventListener("keydown", onKey);
