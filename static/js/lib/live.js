// The connection to /ws/live/: watches cameras, hands out what is said of them, comes back by itself.
// A hidden page asks for no pictures; a picture that is not acknowledged keeps the camera's next one from coming.

import { Backoff } from "./backoff.js";
import { decodeMessage, decodePicture } from "./protocol.js";

const MOST = 200; // Cameras that the server lets one page watch.
const REFUSED = new Set([1008, 4401, 4403]);

/** `state` is connecting, open, waiting or refused. Handlers: state, camera, tracks, visit, picture, and
    where they are wanted recording and error. */
export class Live {
  #socket = null;
  #backoff = new Backoff();
  #timer = 0;
  state = "connecting";

  constructor({ url, cameras, on, pictures = true }) {
    Object.assign(this, { url, cameras, on, pictures });
    document.addEventListener("visibilitychange", () => this.#watch());
    window.addEventListener("online", () => this.state === "waiting" && this.connect());
    window.addEventListener("pagehide", () => this.#socket?.close());
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  connect() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#become("open");
      this.#watch();
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#hear(data);
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.#socket) this.#lose(code);
    });
  }

  watch(cameras) {
    this.cameras = cameras;
    this.#watch();
  }

  /** To be called once a picture has been shown or thrown away. */
  acknowledge({ camera, seq }) {
    this.#send({ type: "ack", camera, seq });
  }

  #watch() {
    this.#send({ type: "watch", cameras: this.cameras.slice(0, MOST), pictures: this.pictures && !document.hidden });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #hear(data) {
    this.#backoff.reset();
    if (typeof data !== "string") {
      const picture = decodePicture(data);
      if (picture) this.on.picture(picture);
      return;
    }
    const message = decodeMessage(data);
    if (["camera", "tracks", "visit", "recording", "error"].includes(message?.type)) this.on[message.type]?.(message);
  }

  #lose(code) {
    this.#socket = null;
    if (REFUSED.has(code)) return this.#become("refused");
    this.#timer = setTimeout(() => this.connect(), this.#backoff.nextMs());
    this.#become("waiting");
  }

  #become(state) {
    this.state = state;
    this.on.state(state);
  }
}
