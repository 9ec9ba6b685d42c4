// The lesson page: the reference plays beside the webcam, each moment is compared, and the result comes at the end.
//
// States: idle (no camera yet) → ready → counting → running → ending → ended or left; from these two it starts again.

import { LessonSocket } from "./wire.js";
import { draw } from "./skeleton.js";
import * as webcam from "./webcam.js";
import { socketUrl } from "../lib/protocol.js";
import { hasText, text } from "../lib/texts.js";
import { keepAwake, letSleep } from "../lib/wake_lock.js";

const COUNT_FROM = 3;
const NOBODY_AFTER = 3; // Pictures in a row without the learner in them.

const root = document.querySelector("[data-lesson]");
const part = (name) => root.querySelector(`[data-${name}]`);
const [reference, camera, skeleton] = [part("reference"), part("webcam"), part("skeleton")];
const shutter = new webcam.Shutter();
let stream = null;
let socket = null;
let run = null;
let timer = null;
let lengthS = Infinity;
let seq = 0;
let isTaking = false;
let unseen = 0;

function enter(state, key) {
  root.dataset.state = state;
  part("said").textContent = key ? text(key) : "";
  part("start").hidden = ["counting", "running", "ending"].includes(state);
  part("start").disabled = !["ready", "ended", "left"].includes(state);
  part("stop").hidden = !["counting", "running"].includes(state);
}

async function openCamera() {
  enter("idle", "asking");
  try {
    stream = await webcam.open(camera);
    enter("ready", "ready");
  } catch {
    enter("idle", "no_camera");
  }
}

function begin() {
  part("result").hidden = true;
  show(null);
  enter("counting", "connecting");
  reference.pause();
  reference.currentTime = 0;
  keepAwake();
  socket = new LessonSocket(socketUrl(root.dataset.socket), {
    welcome(message) {
      lengthS = message.duration_s;
      countDown();
    },
    started(message) {
      run = message.run;
      play();
    },
    result,
    ended: finish,
    problem: (code) => stop(hasText(code) ? code : "lost"),
    closed: () => stop("lost"),
  });
  enter("counting", "warming");
}

async function countDown() {
  const mine = socket;
  const count = part("count");
  count.hidden = false;
  for (let left = COUNT_FROM; left > 0; left -= 1) {
    count.textContent = left;
    part("said").textContent = String(left);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    if (socket !== mine) return;
  }
  count.hidden = true;
  socket.start();
}

async function play() {
  const mine = socket;
  seq = unseen = 0;
  try {
    await reference.play();
  } catch {
    if (socket === mine) stop("no_film");
    return;
  }
  if (socket !== mine) return;
  enter("running", "running");
  timer = setInterval(take, 200);
}

async function take() {
  part("progress").value = reference.duration ? reference.currentTime / reference.duration : 0;
  if (reference.currentTime >= lengthS) { // The sound may go on for longer than the pictures.
    reference.pause();
    end();
    return;
  }
  if (isTaking || !socket?.hasCredit || reference.paused) return;
  isTaking = true;
  const mine = socket;
  try {
    const atS = reference.currentTime;
    const jpeg = await shutter.take(camera);
    if (jpeg && socket === mine && root.dataset.state === "running") socket.send({ seq: seq++, run, atS, jpeg });
  } finally {
    isTaking = false;
  }
}

function result(message) {
  if (message.verdict === "busy" || message.verdict === "invalid") return;
  unseen = message.points ? 0 : unseen + 1;
  part("said").textContent = text(unseen >= NOBODY_AFTER ? "nobody" : "running");
  show(message);
}

function show(message) {
  const percent = Math.round(100 * (message?.similarity ?? 0));
  root.dataset.verdict = message?.verdict ?? "none";
  part("word").textContent = message ? text(message.verdict) : "\u00a0";
  part("bar").setAttribute("aria-valuenow", percent);
  part("fill").style.transform = `scaleX(${percent / 100})`;
  part("totals").textContent = message ? text("totals", message.totals) : "";
  draw(skeleton, message?.points ?? null, { width: camera.videoWidth, height: camera.videoHeight }, message?.verdict);
}

/** The reference is over: what is left is judged, and the server closes the socket. */
function end() {
  if (root.dataset.state !== "running") return;
  clearInterval(timer);
  part("progress").value = 1;
  enter("ending", "ending");
  socket.end();
}

function finish(message) {
  leave("ended", "ended");
  if (!message.url) return;
  part("result-words").textContent = text("words", message.percents);
  part("result-link").href = message.url;
  part("result").hidden = false;
}

function stop(key) {
  leave("left", key);
}

/** Nothing is left running: no timer, no socket, no film. */
function leave(state, key) {
  clearInterval(timer);
  socket?.close();
  socket = run = null;
  reference.pause();
  part("count").hidden = true;
  show(null);
  letSleep();
  enter(stream ? state : "idle", key);
}

part("start").addEventListener("click", begin);
part("stop").addEventListener("click", () => stop("left"));
reference.addEventListener("ended", end);
window.addEventListener("pagehide", () => {
  if (socket) stop("left");
  webcam.close(stream);
});
openCamera();
