// What a lesson's socket carries; the server's side is videos/lesson_frames.py and videos/lesson_socket.py.

const HEADER_BYTES = 32;
const VERSION = 1;
const JPEG = 0;

/** A picture of the learner: version, codec, reserved, sequence number, run, the reference's time, JPEG. */
export function encodePicture({ seq, run, atS, jpeg }) {
  const message = new Uint8Array(HEADER_BYTES + jpeg.byteLength);
  const header = new DataView(message.buffer);
  header.setUint8(0, VERSION);
  header.setUint8(1, JPEG);
  header.setUint32(4, seq);
  message.set(run.replaceAll("-", "").match(/../g).map((pair) => parseInt(pair, 16)), 8);
  header.setFloat64(24, atS);
  message.set(new Uint8Array(jpeg), HEADER_BYTES);
  return message;
}

/**
 * One connection: opens, greets, and hands on what it is told. `on` has welcome, started, result, ended, problem, closed.
 * After close() nothing is told any more.
 */
export class LessonSocket {
  #socket;
  #on;
  #inFlight = new Set();
  #credit = 1;

  constructor(url, on) {
    this.#on = on;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("open", () => this.#say({ type: "hello", protocol: 1 }));
    this.#socket.addEventListener("message", (event) => this.#hear(event.data));
    this.#socket.addEventListener("close", (event) => this.#on?.closed(event.code));
  }

  start() {
    this.#say({ type: "start" });
  }

  end() {
    this.#say({ type: "end" });
  }

  /** Whether another picture may be sent: not more are under way than the server allows. */
  get hasCredit() {
    return this.#socket.readyState === WebSocket.OPEN && this.#inFlight.size < this.#credit;
  }

  send(picture) {
    if (!this.hasCredit) return false;
    this.#inFlight.add(picture.seq);
    this.#socket.send(encodePicture(picture));
    return true;
  }

  close() {
    this.#on = null;
    this.#socket.close(1000);
  }

  #say(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #hear(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === "welcome") this.#credit = message.credit;
    if (message.type === "result") this.#inFlight.delete(message.seq);
    if (message.type === "error") this.#on?.problem(message.code);
    else this.#on?.[message.type]?.(message);
  }
}
