// The guard post's page: opens the webcam, keeps pictures going to the server, and says at every moment how that goes.

import * as webcam from "./camera.js";
import { View } from "./capture_view.js";
import { masksOf, masksOfPage } from "./masks.js";
import { isSupported, Sampler } from "./sampler.js";
import { Sender } from "./sender.js";
import { Stage } from "./stage.js";
import { ServerClock, steadyMs } from "../lib/clock.js";
import { Outbox } from "../lib/outbox.js";
import { newStream, socketUrl } from "../lib/protocol.js";
import { Quality } from "../lib/quality.js";
import { keepAwake, letSleep } from "../lib/wake_lock.js";

const REOPEN_MS = 5_000;
const RATE_MS = 5_000;
const QUEUE_MS = 1_000; // Waiting for longer than this is worth telling.

const view = new View(document.querySelector("[data-capture]"));
const outbox = new Outbox();
const quality = new Quality();
const stage = new Stage();
const counts = { sent: 0, acked: 0, admitted: 0, no_motion: 0, no_person: 0, busy: 0, invalid: 0, too_large: 0 };
const sendTimes = [];
let stream = null;
let problem = null;
let isPaused = false;
let isOpening = false;
let reopenAtMs = 0;
let lastFault = ""; // Why a picture was put off or not accepted.

const sender = new Sender({
  url: socketUrl(view.socketPath),
  stream: newStream(),
  outbox,
  clock: new ServerClock(),
  on: {
    state: () => show(),
    welcome(welcome, rttMs) {
      quality.welcome({ credit: welcome.credit, targetFps: welcome.target_fps, maxBytes: welcome.max_bytes });
      view.connected(rttMs);
      stage.reset();
      sampler.configure(quality.settings);
    },
    sent() {
      counts.sent += 1;
      sendTimes.push(steadyMs());
    },
    answer(ack, rttMs) {
      const nowMs = steadyMs();
      counts.acked += 1;
      counts[ack.verdict] += 1;
      if (ack.verdict === "busy" || ack.verdict === "invalid") lastFault = ack.reason || ack.verdict;
      quality.answer({ rttMs, credit: ack.credit, targetFps: ack.target_fps }, nowMs);
      stage.answer(ack, nowMs);
      sampler.configure(quality.settings);
    },
    result: (message) => stage.result(message, steadyMs()),
    masks: (message) => mask(masksOf(message)),
  },
});

const sampler = new Sampler({
  onFrame({ jpeg, atMs, maskVersion, width, height, naturalWidth, naturalHeight }) {
    // It was under way when the camera was stopped; or another page sends this camera's pictures now.
    if (isPaused || !stream || sender.state === "taken" || sender.isBarred) return;
    quality.picture({ width: naturalWidth, height: naturalHeight, bytes: jpeg.byteLength }, atMs);
    if (!sender.offer({ jpeg, atMs, maskVersion })) counts.too_large += 1;
    sampler.configure(quality.settings);
    view.pictured(width, height);
  },
  onTick() {
    const nowMs = steadyMs();
    sender.tick(nowMs);
    if (problem && !isPaused && nowMs >= reopenAtMs) openCamera();
    show();
  },
});

/** From now on, in what is sent and in the preview. */
function mask(masks) {
  sampler.mask(masks);
  view.masked(masks);
}

async function openCamera(chosen = "") {
  if (isOpening) return;
  isOpening = true;
  reopenAtMs = Infinity;
  try {
    problem = webcam.standingProblem() ?? (isSupported ? null : "unsupported");
    if (problem) return; // Asking again would not help: the page has to be opened in another way.
    closeCamera();
    stream = await webcam.open(chosen);
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => lostCamera("missing"));
    view.preview(stream);
    await sampler.start(stream, view.video);
    const { deviceId } = track.getSettings();
    if (chosen) webcam.remember(deviceId);
    view.webcams(await webcam.list(), deviceId);
    await keepAwake();
  } catch (error) {
    lostCamera(webcam.problemOf(error));
  } finally {
    isOpening = false;
    show();
  }
}

function closeCamera() {
  sampler.stop();
  webcam.close(stream);
  stream = null;
}

function lostCamera(kind) {
  closeCamera();
  problem = kind;
  // A refusal stands until the user changes it; what is missing or in use may come back by itself.
  reopenAtMs = kind === "denied" ? Infinity : steadyMs() + REOPEN_MS;
}

function pause() {
  isPaused = true;
  closeCamera();
  view.preview(null);
  letSleep();
}

function resume() {
  isPaused = false;
  openCamera();
  if (sender.state === "taken" || sender.state === "refused") sender.retry();
}

function stateNow(nowMs) {
  if (isPaused) return "paused";
  if (problem) return "problem";
  if (sender.state === "taken" || sender.state === "refused") return sender.state;
  if (!stream) return "starting";
  if (sender.state === "open") return stage.at(nowMs);
  return sender.state === "connecting" && counts.acked === 0 ? "starting" : "offline";
}

function show() {
  const nowMs = steadyMs();
  while (sendTimes.length && nowMs - sendTimes[0] > RATE_MS) sendTimes.shift();
  const waitingMs = outbox.waitingMs(nowMs);
  view.show({
    state: stateNow(nowMs),
    people: stage.people,
    problem,
    connection: sender.state,
    reason: sender.reason,
    retryInS: Math.max(0, (sender.retryAtMs - nowMs) / 1000),
    fps: sendTimes.length / (RATE_MS / 1000),
    rttMs: quality.rttMs,
    counts,
    buffered: outbox.waiting,
    queueS: waitingMs > QUEUE_MS ? waitingMs / 1000 : 0,
    lost: outbox.lost,
    lastFault,
  });
}

view.on({ choose: openCamera, pause, resume, retry: () => sender.retry(), reopen: () => openCamera() });
navigator.mediaDevices?.addEventListener("devicechange", async () => {
  if (problem && problem !== "denied" && !isPaused) openCamera();
  else if (stream) view.webcams(await webcam.list(), stream.getVideoTracks()[0].getSettings().deviceId);
});
window.addEventListener("online", () => sender.state === "waiting" && sender.retry());
window.addEventListener("pagehide", () => sender.close());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
mask(masksOfPage());
sender.connect();
openCamera();
