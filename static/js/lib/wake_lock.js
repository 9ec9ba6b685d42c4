// Keeps the screen awake. The browser drops the lock whenever the page is hidden: it is asked for again.

let wanted = false;
let lock = null;

async function ask() {
  if (!wanted || lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => {
      lock = null;
    });
  } catch {
    lock = null; // Refused, for instance on a low battery: asked again at the next change of visibility.
  }
}

export function keepAwake() {
  wanted = true;
  return ask();
}

export function letSleep() {
  wanted = false;
  return lock?.release();
}

document.addEventListener("visibilitychange", ask);
