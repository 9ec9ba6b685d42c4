// The server's time on pages without a clock of their own protocol: it wrote the page when its answer began to arrive.

import { steadyMs } from "./clock.js";

/** A function that gives the server's Unix seconds now; `writtenAt` is when the server rendered the page. */
export function pageClock(writtenAt) {
  const [navigation] = performance.getEntriesByType("navigation");
  const arrivedMs = performance.timeOrigin + (navigation?.responseStart ?? performance.now());
  const offsetMs = Number(writtenAt) * 1000 - arrivedMs;
  return () => (steadyMs() + offsetMs) / 1000;
}
