// Takes pictures at the wanted rate and encodes them, off the page's thread; a hidden tab does not slow a worker down.
// In: configure, mask, stop, read (a stream of frames), track (a camera's), ask (for bitmaps at the right times), bitmap.
// Out: ready, tick, due (a bitmap), frame.

import { drawMasks, NO_MASKS } from "./masks.js";
import { steadyMs } from "../lib/clock.js";

const TICK_MS = 100;
const EARLY_MS = 10; // A camera's frames jitter: one that is this early is not left out.

const settings = { fps: 5, longestPx: 640, quality: 0.8 };
let masks = NO_MASKS;
let canvas = null;
let reader = null;
let dueMs = 0;
let isEncoding = false;
let asksForBitmaps = false;

function isDue(nowMs) {
  if (isEncoding || nowMs + EARLY_MS < dueMs) return false;
  const everyMs = 1000 / settings.fps;
  dueMs = Math.max(dueMs + everyMs, nowMs - everyMs / 2);
  return true;
}

/** Draws and closes the picture at once, then encodes. Both sides stay even and keep their proportion. */
async function encode(picture, naturalWidth, naturalHeight, atMs) {
  isEncoding = true;
  try {
    const scale = Math.min(1, settings.longestPx / Math.max(naturalWidth, naturalHeight));
    const width = Math.max(2, Math.round((naturalWidth * scale) / 2) * 2);
    const height = Math.max(2, Math.round((naturalHeight * scale) / 2) * 2);
    if (canvas?.width !== width || canvas?.height !== height) canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    context.drawImage(picture, 0, 0, width, height);
    picture.close();
    drawMasks(context, masks, width, height);
    const maskVersion = masks.version; // Of what was drawn: others may come while this is encoded.
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: settings.quality });
    const jpeg = await blob.arrayBuffer();
    self.postMessage({ type: "frame", jpeg, atMs, maskVersion, width, height, naturalWidth, naturalHeight }, [jpeg]);
  } finally {
    picture.close();
    isEncoding = false;
  }
}

async function read(readable) {
  const mine = readable.getReader();
  reader = mine;
  for (;;) {
    const { value: frame, done } = await mine.read();
    if (done) break;
    const atMs = steadyMs();
    if (mine === reader && isDue(atMs)) encode(frame, frame.displayWidth, frame.displayHeight, atMs);
    else frame.close();
  }
}

function stop() {
  const old = reader;
  reader = null;
  asksForBitmaps = false;
  old?.cancel().catch(() => {}); // Its track may have ended already.
}

function tick() {
  const nowMs = steadyMs();
  if (asksForBitmaps && isDue(nowMs)) self.postMessage({ type: "due" });
  self.postMessage({ type: "tick" });
  // The timer follows the rate where it sets the pace; a fixed one would round 15 fps down to 10.
  setTimeout(tick, asksForBitmaps ? Math.min(TICK_MS, Math.max(10, dueMs - nowMs)) : TICK_MS);
}

const actions = {
  configure: ({ settings: wanted }) => Object.assign(settings, wanted),
  mask({ masks: wanted }) {
    masks = wanted;
  },
  stop,
  read({ readable }) {
    stop();
    read(readable);
  },
  track({ track }) {
    stop();
    read(new self.MediaStreamTrackProcessor({ track }).readable);
  },
  ask() {
    stop();
    asksForBitmaps = true;
  },
  bitmap: ({ bitmap, atMs }) => encode(bitmap, bitmap.width, bitmap.height, atMs),
};
self.addEventListener("message", ({ data }) => actions[data.type](data));

self.postMessage({ type: "ready", canProcess: typeof self.MediaStreamTrackProcessor === "function" });
tick();
