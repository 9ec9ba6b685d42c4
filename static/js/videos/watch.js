// The connection to /ws/videos/: hands on what is told of videos, and comes back by itself. Pages also do without it.

import { Backoff } from "../lib/backoff.js";
import { durationText, text } from "../lib/texts.js";

const REFUSED = new Set([1008, 4401, 4403]);

export function watch(path, hear) {
  const backoff = new Backoff();
  const connect = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    socket.addEventListener("message", ({ data }) => {
      backoff.reset();
      const message = JSON.parse(data);
      if (message.type === "video") hear(message);
    });
    socket.addEventListener("close", ({ code }) => {
      if (!REFUSED.has(code)) setTimeout(connect, backoff.nextMs());
    });
    window.addEventListener("pagehide", () => socket.close());
  };
  connect();
}

/** How far the analysis is, where the page shows it. */
export function showProgress(root, video) {
  const part = root?.querySelector("[data-progress]");
  if (!part) return;
  const percent = Math.floor(100 * video.progress);
  part.querySelector("progress").value = percent;
  const values = { percent, rate: video.rate.toFixed(1), left: video.left_s === null ? "" : durationText(video.left_s) };
  part.querySelector("[data-said]").textContent = text(video.left_s === null ? "progress.begun" : "progress", values);
}
