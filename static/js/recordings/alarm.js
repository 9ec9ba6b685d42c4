// Pages stay open for days: asks now and then whether recordings can be stored, and shows the alarm while they cannot.

const EVERY_MS = 15_000;
const notice = document.querySelector("[data-alarm]");

async function look() {
  if (document.hidden) return;
  let answer;
  try {
    const response = await fetch(notice.dataset.alarm, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) return;
    answer = await response.json();
  } catch {
    return; // The page says by itself when the server is out of reach.
  }
  const text = notice.querySelector("[data-alarm-text]");
  if (text.textContent !== answer.text) text.textContent = answer.text;
  notice.hidden = !answer.text;
}

if (notice?.dataset.alarm) {
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
