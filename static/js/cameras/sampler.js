// Pictures of a camera track at a chosen rate. Three ways, by what the browser has: frames read in the page and passed to
// the worker (Chrome), the track itself passed (Safari), or bitmaps of the <video> whenever the worker says one is due.

import { steadyMs } from "../lib/clock.js";

export const isSupported = typeof OffscreenCanvas === "function" && "convertToBlob" in OffscreenCanvas.prototype;

export class Sampler {
  #worker = new Worker(new URL("./sampler_worker.js", import.meta.url), { type: "module" });
  #ready;
  #video = null;
  #isGrabbing = false;
  #settings = {};

  /** `onTick` is called ten times a second, also while the page is hidden and its own timers are slow. */
  constructor({ onFrame, onTick }) {
    this.#ready = new Promise((resolve, reject) => {
      const actions = {
        ready: resolve,
        tick: onTick,
        frame: onFrame,
        due: () => this.#grab().catch(() => {}), // The track may end between asking and grabbing.
      };
      this.#worker.addEventListener("message", ({ data }) => actions[data.type](data));
      this.#worker.addEventListener("error", reject);
    });
  }

  async start(stream, video) {
    const { canProcess } = await this.#ready;
    const [track] = stream.getVideoTracks();
    this.#video = video;
    if (typeof window.MediaStreamTrackProcessor === "function") {
      const { readable } = new window.MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
      this.#worker.postMessage({ type: "read", readable }, [readable]);
    } else if (canProcess) {
      const copy = track.clone(); // The page keeps its own for the preview.
      this.#worker.postMessage({ type: "track", track: copy }, [copy]);
    } else {
      this.#worker.postMessage({ type: "ask" });
    }
  }

  stop() {
    this.#worker.postMessage({ type: "stop" });
  }

  configure(settings) {
    if (Object.entries(settings).every(([name, value]) => this.#settings[name] === value)) return;
    this.#settings = { ...settings };
    this.#worker.postMessage({ type: "configure", settings });
  }

  /** Blacks these masks out of every picture taken from now on. */
  mask(masks) {
    this.#worker.postMessage({ type: "mask", masks });
  }

  async #grab() {
    if (this.#isGrabbing || this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.#isGrabbing = true;
    try {
      const atMs = steadyMs();
      const bitmap = await createImageBitmap(this.#video);
      this.#worker.postMessage({ type: "bitmap", bitmap, atMs }, [bitmap]);
    } finally {
      this.#isGrabbing = false;
    }
  }
}
