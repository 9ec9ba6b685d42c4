// One video: the player with boxes and skeletons in step with its pictures, and its people to jump to.

import { BoxLayer } from "../detections/box_layer.js";
import { durationText } from "../lib/texts.js";
import { Samples } from "./samples.js";
import { SkeletonLayer } from "./skeleton_layer.js";
import { showProgress, watch } from "./watch.js";

const SVG = "http://www.w3.org/2000/svg";
const JUMP_S = 5;
const AGAIN_MS = 10_000; // A film that fails again so soon is not asked for once more.
const HAIR_S = 0.001; // Behind a sample's time, so that it is its picture that is shown.

const root = document.querySelector("[data-video]");
const part = (name) => root.querySelector(`[data-${name}]`);
const people = JSON.parse(document.querySelector("#marks").textContent);
const personOf = new Map(people.flatMap((person) => person.tracks.map((track) => [track, person])));

class Player {
  #shown = { boxes: true, poses: true };
  #at = 0;
  #hasBegun = false;
  #askedAt = -Infinity;

  constructor(video) {
    this.video = video;
    this.picture = { width: 16, height: 9 };
    this.boxes = new BoxLayer(part("overlay"), this.picture);
    this.skeletons = new SkeletonLayer(part("skeletons-overlay"), this.picture);
    this.samples = new Samples(root.dataset.frames, Number(root.dataset.perS), () => this.#draw());
    this.head = part("film").querySelector("svg").appendChild(document.createElementNS(SVG, "rect"));
    this.head.setAttribute("class", "head");
    for (const [name, value] of Object.entries({ y: 0, width: 3, height: "100%" })) this.head.setAttribute(name, value);
    video.addEventListener("loadedmetadata", () => this.#measure());
    video.addEventListener("error", () => this.#again());
    for (const name of ["timeupdate", "seeked"]) {
      video.addEventListener(name, () => {
        if (video.paused || !("requestVideoFrameCallback" in video)) this.#follow(video.currentTime);
      });
    }
    if ("requestVideoFrameCallback" in video) this.#watch();
    this.#measure();
    this.#mark();
  }

  /** Of its pictures: a file may say that it goes on after the last of them. */
  get duration() {
    return Number(root.dataset.duration) || this.video.duration || 1;
  }

  /** The address that a film was redirected to is good for some minutes only: asked again, the server gives another. */
  #again() {
    const { video } = this;
    const now = performance.now();
    if (!this.#hasBegun || now - this.#askedAt < AGAIN_MS) {
      part("note").hidden = false;
      return;
    }
    this.#askedAt = now;
    const wasPaused = video.paused;
    root.dataset.at = video.currentTime || this.#at;
    video.load();
    if (!wasPaused) video.play().catch(() => {});
  }

  #measure() {
    const { video } = this;
    if (!video.videoWidth) return;
    this.#hasBegun = true;
    Object.assign(this.picture, { width: video.videoWidth, height: video.videoHeight });
    part("player").style.setProperty("--ratio", `${video.videoWidth} / ${video.videoHeight}`);
    const at = Number(root.dataset.at);
    if (at > 0 && video.currentTime === 0) video.currentTime = at + HAIR_S;
    root.dataset.at = 0;
    this.#follow(video.currentTime);
  }

  /** Every picture as it is shown, with the time it has in the film. */
  #watch() {
    this.video.requestVideoFrameCallback((_now, { mediaTime }) => {
      this.#follow(this.video.paused ? this.video.currentTime : mediaTime);
      this.#watch();
    });
  }

  #follow(at) {
    this.#at = at;
    part("clock").textContent = `${durationText(at)} / ${durationText(this.duration)}`;
    this.head.setAttribute("x", `${Math.min(100, (at / this.duration) * 100)}%`);
    for (const person of people) {
      const item = root.querySelector(`[data-stay="${person.id}"]`);
      if (item) item.dataset.now = person.start <= at && at <= person.end;
    }
    this.#draw();
  }

  #draw() {
    const found = this.samples.at(this.#at);
    const boxes = this.#shown.boxes ? found.boxes : [];
    const poses = this.#shown.poses ? found.poses : [];
    this.boxes.draw(boxes.map(({ track, values }) => ({ visit: personOf.get(track)?.id ?? null, xyxy: values })));
    this.boxes.tick((id) => ({ first_seen: people.find((person) => person.id === id).start }), this.#at);
    this.skeletons.draw(poses.map(({ values }) => values));
    Object.assign(root.dataset, { time: this.#at.toFixed(4), sample: found.index, boxes: boxes.length, skeletons: poses.length });
  }

  #mark() {
    const svg = part("film").querySelector("svg");
    for (const { start, end } of people) {
      const bar = svg.insertBefore(document.createElementNS(SVG, "rect"), this.head);
      bar.setAttribute("class", "stay");
      const place = { x: `${(start / this.duration) * 100}%`, y: "30%", width: `${(Math.max(0.2, end - start) / this.duration) * 100}%`, height: "40%" };
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
    this.seek((this.samples.indexAt(this.video.currentTime) + by) / this.samples.perS + HAIR_S);
  }

  show(what) {
    this.#shown[what] = !this.#shown[what];
    root.querySelector(`[data-act=${what}]`)?.setAttribute("aria-pressed", this.#shown[what]);
    this.#draw();
  }

  async full() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await part("player").requestFullscreen?.().catch(() => {}); // Not every browser lets a page do it (phones).
  }
}

function begin(video) {
  const running = new Player(video);
  const acts = {
    back: () => running.step(-1), on: () => running.step(1), play: () => running.toggle(),
    boxes: () => running.show("boxes"), poses: () => running.show("poses"), full: () => running.full(),
  };
  for (const button of root.querySelectorAll("[data-act]")) button.addEventListener("click", acts[button.dataset.act]);
  for (const button of root.querySelectorAll("[data-jump]")) {
    button.addEventListener("click", () => running.seek(Number(button.dataset.jump) + HAIR_S));
  }
  part("speed").addEventListener("change", ({ target }) => { video.playbackRate = Number(target.value); });
  part("film").addEventListener("pointerdown", ({ clientX }) => {
    const { left, width } = part("film").getBoundingClientRect();
    running.seek(((clientX - left) / width) * running.duration);
  });
  const keys = {
    k: acts.play, ",": acts.back, ".": acts.on, b: acts.boxes, s: acts.poses, f: acts.full,
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
}

const video = root.querySelector("video");
if (video) begin(video);

const canPlay = root.dataset.canPlay === "1";
if (["waiting", "analysing"].includes(root.dataset.state) || !canPlay) {
  const look = (now) => {
    if (now.state === "removed") location.assign(document.querySelector(".page-head a").href);
    else if (now.state !== root.dataset.state || (now.is_playable && !canPlay)) location.reload();
    else showProgress(root, now);
  };
  watch(root.dataset.socket, ({ video: told }) => { if (told.id === root.dataset.video) look(told); });
  setInterval(async () => { // Without the socket the page looks for itself.
    const answer = await fetch(root.dataset.status, { cache: "no-store" }).catch(() => null);
    if (answer?.ok && !answer.redirected) look(await answer.json());
  }, 5_000);
}
