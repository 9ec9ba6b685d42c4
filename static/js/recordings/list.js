// The list of clips: the day's axis above it, also after the filter changed, and new clips offered as they begin.

import { Live } from "../lib/live.js";
import { socketUrl } from "../lib/protocol.js";
import { countText } from "../lib/texts.js";
import { Timeline } from "./timeline.js";

const filter = document.querySelector("[data-cameras]");
const newer = document.querySelector("[data-newer]");
const started = new Set();
let timeline = null;

function begin() {
  timeline?.stop();
  const root = document.querySelector("[data-timeline]");
  timeline = root && new Timeline(root, JSON.parse(document.getElementById("timeline-data").textContent));
}

/** The filter's fields say what the address says, whichever of them changed. */
function follow() {
  const asked = new URLSearchParams(location.search);
  for (const field of filter.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = asked.has(field.name);
    else field.value = asked.get(field.name) ?? "";
  }
}

const live = new Live({
  url: socketUrl(filter.dataset.socket),
  cameras: filter.dataset.cameras.trim().split(/\s+/).filter(Boolean),
  pictures: false,
  on: {
    state() {},
    camera() {},
    tracks() {},
    visit() {},
    error() {},
    picture: (picture) => live.acknowledge(picture),
    recording({ event, recording }) {
      if (event !== "started") return;
      started.add(recording.id);
      newer.hidden = false;
      newer.href = location.href;
      newer.textContent = countText("newer", started.size);
    },
  },
});

document.body.addEventListener("htmx:afterSettle", ({ detail }) => detail.target.id === "recording-page" && begin());
document.body.addEventListener("htmx:historyRestore", () => {
  follow();
  begin();
});
begin();
live.connect();
