// Chooses rate, size and JPEG quality from what the line can take; a busy server lowers its target by itself.
// Pure: the time is passed in.

const STEPS = [
  { scale: 1, quality: 0.85 },
  { scale: 1, quality: 0.7 },
  { scale: 0.75, quality: 0.65 },
  { scale: 0.5, quality: 0.6 },
];
const LONGEST_PX = 1280;
const SMALLEST_PX = 320;
const FASTEST_FPS = 15;
const SLOWEST_FPS = 0.5;
const DOWN_AFTER_MS = 3_000;
const UP_AFTER_MS = 15_000;

export class Quality {
  #step = 0;
  #rttMs = null;
  #credit = 1;
  #targetFps = 5;
  #steppedMs = 0;
  #maxBytes = 1_000_000;
  #natural = 640;

  get rttMs() {
    return this.#rttMs;
  }

  /** What the sampler is to do now. */
  get settings() {
    const { scale, quality } = STEPS[this.#step];
    const longest = Math.min(LONGEST_PX, this.#natural);
    const fps = Math.min(FASTEST_FPS, this.#targetFps, this.#lineFps);
    return {
      fps: Math.max(Math.min(SLOWEST_FPS, this.#targetFps), Math.round(fps * 10) / 10),
      longestPx: Math.max(Math.min(SMALLEST_PX, longest), Math.round(longest * scale)),
      quality,
    };
  }

  /** Frames per second that the credit allows at the present round trip, with a little room. */
  get #lineFps() {
    return this.#rttMs === null ? this.#targetFps : (0.9 * this.#credit * 1000) / Math.max(this.#rttMs, 1);
  }

  welcome({ credit, targetFps, maxBytes }) {
    this.#credit = credit;
    this.#targetFps = targetFps;
    this.#maxBytes = maxBytes;
    this.#rttMs = null;
  }

  picture({ width, height, bytes }, nowMs) {
    this.#natural = Math.max(width, height);
    if (bytes > this.#maxBytes) this.#goTo(this.#step + 1, nowMs);
  }

  answer({ rttMs, credit, targetFps }, nowMs) {
    this.#rttMs = this.#rttMs === null ? rttMs : 0.8 * this.#rttMs + 0.2 * rttMs;
    this.#credit = credit ?? this.#credit;
    this.#targetFps = targetFps ?? this.#targetFps;
    const isSlow = this.#lineFps < this.#targetFps;
    const isEasy = this.#lineFps > 2.5 * this.#targetFps;
    if (isSlow && nowMs - this.#steppedMs > DOWN_AFTER_MS) this.#goTo(this.#step + 1, nowMs);
    else if (isEasy && nowMs - this.#steppedMs > UP_AFTER_MS) this.#goTo(this.#step - 1, nowMs);
  }

  #goTo(step, nowMs) {
    this.#step = Math.max(0, Math.min(STEPS.length - 1, step));
    this.#steppedMs = nowMs;
  }
}
