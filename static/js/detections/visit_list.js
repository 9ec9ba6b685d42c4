// The list of visits: rows that are shown follow what happens, and new visits are offered rather than pushed in.

import { Feed } from "./feed.js";
import { Live } from "../lib/live.js";
import { pageClock } from "../lib/page_clock.js";
import { socketUrl } from "../lib/protocol.js";
import { countText } from "../lib/texts.js";

const filter = document.querySelector("[data-cameras]");
const newer = document.querySelector("[data-newer]");
const now = pageClock(filter.dataset.now);
const started = new Set();

const feed = new Feed("#visit-page", {
  onGrow() {
    newer.hidden = false;
    newer.textContent = countText("newer", started.size);
  },
});

const live = new Live({
  url: socketUrl(filter.dataset.socket),
  cameras: filter.dataset.cameras.trim().split(/\s+/).filter(Boolean),
  pictures: false,
  on: {
    state() {},
    camera() {},
    tracks() {},
    picture: (picture) => live.acknowledge(picture),
    visit(message) {
      if (message.event === "started") started.add(message.visit.id);
      feed.visit(message);
    },
  },
});
live.connect();
setInterval(() => feed.tick(now()), 500);
