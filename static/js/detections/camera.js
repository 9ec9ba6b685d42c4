// A camera's page: its tile live, its day, and the visits of that day as they come.

import { Feed } from "./feed.js";
import { Strip } from "./strip.js";
import { watch } from "./watch.js";

const root = document.querySelector("[data-camera-page]");
const isToday = root.dataset.today === "true";
const count = root.querySelector("[data-visit-count]");
let tiles = new Map();

const feed = new Feed("[data-feed]", {
  nameOf: (slug) => tiles.get(slug)?.name ?? slug,
  onGrow() {
    if (!isToday) return; // The list is of another day.
    root.querySelector("[data-feed-empty]").hidden = true;
    count.textContent = root.querySelectorAll("[data-visit]").length;
  },
});

({ tiles } = watch(root, { feed }));
const details = JSON.parse(document.getElementById("day-details").textContent);
new Strip(root.querySelector("[data-strip]"), root.querySelector("[data-strip-detail]"), details);
