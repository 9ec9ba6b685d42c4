// The server's time, kept on this machine's steady clock: a wall clock set by hand never moves a capture time.

const JUMP_MS = 500;
const MOST_ONE_WAY_MS = 200;

/** Milliseconds of a clock that only moves forward and that windows and workers share. */
export function steadyMs() {
  return performance.timeOrigin + performance.now();
}

export class ServerClock {
  #offsetMs = null;
  #skewMs = 0;

  /** Takes the server's time (Unix seconds), read as it answered: half a round trip ago. A longer trip was its work:
      a busy server's half would set our clock ahead, and what is captured then would be refused as too new. */
  correct(serverTime, sentMs, receivedMs) {
    this.#offsetMs = serverTime * 1000 + Math.min((receivedMs - sentMs) / 2, MOST_ONE_WAY_MS) - receivedMs;
    this.#skewMs = Date.now() - steadyMs();
  }

  get isSet() {
    return this.#offsetMs !== null;
  }

  /** The server's Unix seconds at one of our steady milliseconds. */
  at(ms) {
    return (ms + (this.#offsetMs ?? 0)) / 1000;
  }

  now() {
    return this.at(steadyMs());
  }

  /** The steady clock stops while a machine sleeps, and drifts: then only a new connection tells the time. */
  hasJumped() {
    return this.isSet && Math.abs(Date.now() - steadyMs() - this.#skewMs) > JUMP_MS;
  }
}
