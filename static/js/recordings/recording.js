// One clip's player: steps by the very frames, boxes over the picture they belong to, jumps to visits, links to moments.

import { BoxLayer } from "../detections/box_layer.js";
import { Live } from "../lib/live.js";
import { socketUrl } from "../lib/protocol.js";
import { clockText, durationText, text } from "../lib/texts.js";
import { BoxLog } from "./box_log.js";

const SVG = "http://www.w3.org/2000/svg";
const JUMP_S = 5;
const HAIR_S = 0.001; // Behind a frame's time, so that it is this frame that is shown.
const SAID_MS = 2_000;

const root = document.querySelector("[data-recording]");
const part = (name) => root.querySelector(`[data-${name}]`);
const player = part("player");
const film = part("film");
const startAt = Number(root.dataset.start);

class Player {
  #frame = 0;
  #hasBoxes = true;

  constructor(video) {
    this.video = video;
    this.times = [];
    this.visits = [];
    this.picture = { width: 16, height: 9 };
    this.layer = new BoxLayer(part("overlay"), this.picture);
    this.log = new BoxLog(root.dataset.frames, () => this.#draw());
    this.clock = part("clock");
    this.head = film.querySelector("svg").appendChild(document.createElementNS(SVG, "rect"));
    this.head.setAttribute("class", "head");
    for (const [name, value] of Object.entries({ y: 0, width: 3, height: "100%" })) this.head.setAttribute(name, value);
    video.addEventListener("loadedmetadata", () => this.#measure());
    video.addEventListener("error", () => { part("note").hidden = false; });
    for (const name of ["timeupdate", "seeked"]) video.addEventListener(name, () => this.#follow(video.currentTime, false));
    if ("requestVideoFrameCallback" in video) this.#watch();
    this.#measure();
  }

  get duration() {
    const told = this.video.duration;
    return Number.isFinite(told) && told > 0 ? told : Math.max(Number(root.dataset.duration), this.times.at(-1) ?? 0);
  }

  async load() {
    const answer = await fetch(root.dataset.frames, { cache: "no-store" }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const told = await answer.json();
    Object.assign(this, { times: told.times, visits: told.visits });
    root.dataset.frameCount = told.times.length;
    this.log.longestS = told.longest_s;
    this.#markVisits();
    this.#follow(this.video.currentTime, false);
  }

  #measure() {
    const { video } = this;
    if (!video.videoWidth) return;
    Object.assign(this.picture, { width: video.videoWidth, height: video.videoHeight });
    player.style.setProperty("--ratio", `${video.videoWidth} / ${video.videoHeight}`);
    const at = Number(root.dataset.at);
    if (at > 0) video.currentTime = at + HAIR_S; // Also when it has begun to play.
    root.dataset.at = 0;
  }

  /** Every frame as it is shown, with the time it has in the film. */
  #watch() {
    this.video.requestVideoFrameCallback((_now, { mediaTime }) => {
      this.#follow(mediaTime, true);
      this.#watch();
    });
  }

  #follow(at, isFrame) {
    if (isFrame || !("requestVideoFrameCallback" in this.video) || this.video.paused) this.#frame = this.frameAt(at);
    const now = this.times[this.#frame] ?? at;
    root.dataset.time = now.toFixed(4);
    this.clock.textContent = text("time", { at: `${clockText(startAt + now)} · ${durationText(now)}`, whole: durationText(this.duration) });
    this.head.setAttribute("x", `${Math.min(100, (at / this.duration) * 100)}%`);
    for (const visit of this.visits) {
      const item = root.querySelector(`[data-stay="${visit.id}"]`);
      if (item) item.dataset.now = visit.start <= now && now <= visit.end;
    }
    this.#draw();
  }

  /** The newest frame at or before this time. */
  frameAt(at) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= at + HAIR_S / 2) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #draw() {
    const now = this.times[this.#frame];
    const boxes = this.#hasBoxes && now !== undefined ? this.log.at(now) : [];
    this.layer.draw(boxes);
    this.layer.tick((id) => this.visits.find((visit) => visit.id === id), now);
    root.dataset.boxes = boxes.length;
  }

  #markVisits() {
    const svg = film.querySelector("svg");
    for (const { start, end } of this.visits) {
      const bar = svg.insertBefore(document.createElementNS(SVG, "rect"), this.head);
      bar.setAttribute("class", "stay");
      const place = { x: `${(start / this.duration) * 100}%`, y: "82%", width: `${(Math.max(0.2, end - start) / this.duration) * 100}%`, height: "14%" };
      for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value);
    }
  }

  // --- What the keys and buttons do ---

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  seek(at) {
    this.video.currentTime = Math.max(0, Math.min(this.duration, at));
  }

  step(by) {
    this.video.pause();
    const wanted = Math.max(0, Math.min(this.times.length - 1, this.#frame + by));
    if (this.times.length === 0) return;
    this.#frame = wanted;
    this.seek(this.times[wanted] + HAIR_S);
  }

  visit(by) {
    const now = this.video.currentTime;
    const starts = this.visits.map(({ start }) => start);
    const to = by > 0 ? starts.find((start) => start > now + 0.05) : starts.findLast((start) => start < now - 1);
    if (to !== undefined) this.seek(to + HAIR_S);
    else if (by > 0) document.querySelector("[data-newer-clip]")?.click(); // The next visit is in a later clip.
  }

  toggleBoxes() {
    this.#hasBoxes = !this.#hasBoxes;
    root.querySelector("[data-act=boxes]").setAttribute("aria-pressed", this.#hasBoxes);
    this.#draw();
  }

  async link() {
    const url = new URL(location.href);
    const at = this.video.currentTime; // Where a jump leads to, also while its picture has not been shown yet.
    url.searchParams.set("t", (this.times[this.frameAt(at)] ?? at).toFixed(2));
    history.replaceState(null, "", url);
    const isCopied = await (navigator.clipboard?.writeText(url.href) ?? Promise.reject(new Error("none"))).then(() => true, () => false);
    const word = part("link-word");
    word.textContent = part("said").textContent = text(isCopied ? "link.copied" : "link.shown");
    setTimeout(() => { word.textContent = text("link.word"); }, SAID_MS);
  }

  async full() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await player.requestFullscreen?.().catch(() => {}); // Not every browser lets a page do it (phones).
  }
}

function begin(video) {
  const running = new Player(video);
  const acts = {
    back: () => running.step(-1), on: () => running.step(1), play: () => running.toggle(), boxes: () => running.toggleBoxes(),
    next: () => running.visit(1), link: () => running.link(), full: () => running.full(),
  };
  for (const button of root.querySelectorAll("[data-act]")) button.addEventListener("click", acts[button.dataset.act]);
  for (const button of root.querySelectorAll("[data-jump]")) {
    button.addEventListener("click", () => running.seek(Number(button.dataset.jump) + HAIR_S));
  }
  part("speed").addEventListener("change", ({ target }) => { video.playbackRate = Number(target.value); });
  film.addEventListener("pointerdown", ({ clientX }) => {
    const { left, width } = film.getBoundingClientRect();
    running.seek(((clientX - left) / width) * running.duration);
  });
  const keys = {
    k: acts.play, ",": acts.back, ".": acts.on, b: acts.boxes, n: acts.next, p: () => running.visit(-1), l: acts.link, f: acts.full,
    arrowleft: () => running.seek(video.currentTime - JUMP_S), arrowright: () => running.seek(video.currentTime + JUMP_S),
    home: () => running.seek(0), end: () => running.seek(running.duration),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // The video's own keys would jump as well.
    act();
  }, { capture: true });
  running.load();
}

/** An open clip becomes another page when it is ready: whoever is watching goes on from where they are. */
function awaitReady(video) {
  const live = new Live({
    url: socketUrl(root.dataset.socket),
    cameras: [root.dataset.camera],
    pictures: false,
    on: {
      state() {}, camera() {}, tracks() {}, visit() {}, error() {},
      picture: (picture) => live.acknowledge(picture),
      recording({ event, recording }) {
        if (recording.id !== root.dataset.recording || !["ready", "removed"].includes(event)) return;
        const url = new URL(location.href);
        if (video) url.searchParams.set("t", video.currentTime.toFixed(2));
        if (video && !video.paused) url.searchParams.set("play", "1");
        location.replace(url);
      },
    },
  });
  live.connect();
}

const video = root.querySelector("video");
if (video) begin(video);
if (video && new URLSearchParams(location.search).has("play")) video.play().catch(() => {});
if (["recording", "encoding"].includes(root.dataset.state)) awaitReady(video);
