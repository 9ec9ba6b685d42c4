// The boxes of a clip's frames, fetched a stretch at a time as the film comes to it; old stretches are forgotten.

const NEAR_S = 0.006; // A frame's time in the film and in the track log differ by less.
const MOST = 6;
const AGAIN_MS = 5_000; // After a fetch that failed.

export class BoxLog {
  #parts = new Map(); // By number: null while it is under way.
  longestS = 60;

  constructor(url, onCome) {
    Object.assign(this, { url, onCome });
  }

  /** The boxes of the frame at this time; none while they are under way. */
  at(seconds) {
    const number = Math.floor((seconds + NEAR_S) / this.longestS);
    this.#want(number);
    if ((seconds + NEAR_S) % this.longestS > this.longestS / 2) this.#want(number + 1);
    const rows = this.#parts.get(number) ?? [];
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle][0] < seconds - NEAR_S) low = middle + 1;
      else high = middle;
    }
    const row = rows[low];
    if (!row || row[0] > seconds + NEAR_S) return [];
    return row[1].map(([visit, ...xyxy]) => ({ visit, xyxy }));
  }

  async #want(number) {
    if (this.#parts.has(number)) return;
    this.#parts.set(number, null);
    if (this.#parts.size > MOST) this.#parts.delete(this.#parts.keys().next().value);
    const from = number * this.longestS - (number ? NEAR_S : 0);
    const query = new URLSearchParams({ from: Math.max(0, from), to: (number + 1) * this.longestS });
    const answer = await fetch(`${this.url}?${query}`, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok || answer.redirected) {
      setTimeout(() => this.#parts.delete(number), AGAIN_MS);
      return;
    }
    const { boxes } = await answer.json();
    this.#parts.set(number, boxes.sort((one, other) => one[0] - other[0]));
    this.onCome();
  }
}
