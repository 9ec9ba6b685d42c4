// How long to wait before the next try: from 0.5 s half as long again each time up to 10 s, spread so that many pages do
// not come back at once. A server that takes ten seconds to start again is found within the next five.

const FIRST_MS = 500;
const LAST_MS = 10_000;
const FACTOR = 1.5;

export class Backoff {
  #tries = 0;

  constructor(random = Math.random) {
    this.random = random;
  }

  get tries() {
    return this.#tries;
  }

  nextMs() {
    const most = Math.min(LAST_MS, FIRST_MS * FACTOR ** this.#tries);
    this.#tries += 1;
    return most * (0.5 + this.random() / 2);
  }

  reset() {
    this.#tries = 0;
  }
}
