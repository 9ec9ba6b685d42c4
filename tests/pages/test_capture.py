"""The capture page's own modules, run in a real Chromium: the sender on its line, and which state is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pages.conftest import Run

pytestmark = pytest.mark.browser

SENDER = """
const { Sender } = await load("cameras/sender");
const { Outbox } = await load("lib/outbox");
const { ServerClock, steadyMs } = await load("lib/clock");
const sockets = [];
window.WebSocket = class extends EventTarget {
  static OPEN = 1;
  sent = [];
  constructor() { super(); sockets.push(this); }
  send(data) { this.sent.push(data); }
  close() { this.closed = true; }
  open() { this.dispatchEvent(new Event("open")); }
  hear(message) { this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) })); }
  drop(code) { this.dispatchEvent(new CloseEvent("close", { code })); }
  get frames() { return this.sent.filter((data) => typeof data !== "string").map((data) => new DataView(data.buffer)); }
  get seqs() { return this.frames.map((frame) => frame.getUint32(4)); }
  get times() { return this.frames.map((frame) => frame.getFloat64(8)); }
};
const line = () => sockets.at(-1);
const seen = { states: [], answers: [] };
const sender = new Sender({
  url: "ws://test/", stream: "ab".repeat(16), outbox: new Outbox(), clock: new ServerClock(),
  on: {
    state: ({ state, reason }) => seen.states.push(reason ? `${state}:${reason}` : state),
    welcome() {}, masks() {}, sent() {}, result() {},
    answer: (ack, rttMs) => seen.answers.push([ack.seq, ack.verdict, rttMs >= 0]),
  },
});
const welcome = (changes = {}) => {
  const usual = { camera: "gate", last_seq: 0, credit: 2, target_fps: 5, max_bytes: 1000, server_time: 5_000 };
  line().open();
  line().hear({ type: "welcome", ...usual, ...changes });
};
const ack = (seq, verdict = "admitted", changes = {}) =>
  line().hear({ type: "ack", seq, verdict, reason: "", credit: 2, target_fps: 5, ...changes });
const offer = (count, bytes = 20) => {
  for (let n = 0; n < count; n++) sender.offer({ atMs: steadyMs() + n, jpeg: new ArrayBuffer(bytes) });
};
sender.connect();
"""
STAGE = """
const { Stage } = await load("cameras/stage");
const stage = new Stage();
const usual = { state: "present", settled: false, verified: true, picture: null };
const visit = (id, changes = {}) => ({ id, ...usual, ...changes });
stage.result({ visits: [] }, 1_000);
"""


def test_it_says_hello_and_sends_only_after_the_welcome(run: Run) -> None:
    body = (
        SENDER
        + """
      offer(3);
      line().open();
      const before = line().sent.length;
      welcome();
      return [JSON.parse(line().sent[0]), before, line().seqs, seen.states];
    """
    )
    hello, before, seqs, states = run(body)
    assert hello == {"type": "hello", "protocol": 1, "stream": "ab" * 16}
    assert (before, seqs, states) == (1, [1, 2], ["connecting", "open"])


def test_every_answer_lets_the_next_one_go(run: Run) -> None:
    body = SENDER + "welcome(); offer(5); ack(1, 'no_motion'); ack(2); return [line().seqs, seen.answers];"
    assert run(body) == [[1, 2, 3, 4], [[1, "no_motion", True], [2, "admitted", True]]]


def test_the_credit_of_the_last_answer_counts(run: Run) -> None:
    body = SENDER + "welcome(); offer(6); ack(1, 'admitted', { credit: 1 }); const one = line().seqs; ack(2); "
    assert run(body + "return [one, line().seqs];") == [[1, 2], [1, 2, 3, 4]]


def test_frames_of_an_outage_follow_with_their_own_times(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      offer(1);
      ack(1);
      line().drop(1006);
      const lostMs = steadyMs();
      sender.offer({ atMs: lostMs, jpeg: new ArrayBuffer(9) });
      sender.offer({ atMs: lostMs + 200, jpeg: new ArrayBuffer(9) });
      sender.tick(steadyMs() + 20_000);
      welcome({ last_seq: 1, server_time: 5_010 });
      const [first, second] = line().times;
      return [sockets.length, line().seqs, second - first, seen.states];
    """
    )
    count, seqs, apart, states = run(body)
    assert (count, seqs) == (2, [2, 3])
    assert apart == pytest.approx(0.2, abs=0.001)
    assert states == ["connecting", "open", "waiting", "connecting", "open"]


def test_what_went_unanswered_is_sent_again_and_what_arrived_is_not(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome({ credit: 3 });
      offer(3);
      const before = line().times;
      line().drop(1006);
      sender.tick(steadyMs() + 20_000);
      welcome({ last_seq: 1, server_time: 4_000 });
      return [line().seqs, line().times.map((time, index) => time === before[index + 1])];
    """
    )
    # The clock was set back meanwhile: a picture's time is told once and for all.
    assert run(body) == [[2, 3], [True, True]]


def test_order_holds_through_a_clock_that_was_set_back(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome({ credit: 1 });
      offer(1);
      ack(1, "admitted", { credit: 1 });
      line().drop(1006);
      offer(2);
      sender.tick(steadyMs() + 20_000);
      welcome({ last_seq: 1, server_time: 4_000 });
      const times = [...sockets[0].times, ...line().times];
      return times.every((time, index) => index === 0 || time > times[index - 1]);
    """
    )
    assert run(body) is True


def test_a_line_that_died_in_silence_is_given_up(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      offer(1);
      sender.tick(steadyMs() + 9_000);
      const patient = sender.state;
      sender.tick(steadyMs() + 11_000);
      return [patient, sender.state, line().closed];
    """
    )
    assert run(body) == ["open", "waiting", True]


@pytest.mark.parametrize(
    ("code", "states"),
    [
        (1006, ["waiting"]),
        (1011, ["waiting"]),
        (1009, ["waiting"]),
        (4409, ["taken"]),
        (4401, ["refused:access"]),
        (4403, ["refused:access"]),
        (1008, ["refused:policy"]),
    ],
)
def test_each_end_of_the_line_has_its_own_state(run: Run, code: int, states: list[str]) -> None:
    assert run(SENDER + "welcome(); line().drop(argument); return seen.states.slice(2);", code) == states


def test_the_error_before_the_close_says_why(run: Run) -> None:
    body = (
        SENDER
        + """
      line().open();
      line().hear({ type: "error", code: "revoked", detail: "" });
      line().drop(4403);
      return seen.states;
    """
    )
    assert run(body) == ["connecting", "refused:revoked"]


def test_a_page_that_was_taken_over_stays_quiet_until_it_is_told(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      line().drop(4409);
      sender.tick(steadyMs() + 3_600_000);
      const quiet = sockets.length;
      sender.retry();
      return [quiet, sockets.length, sender.state];
    """
    )
    assert run(body) == [1, 2, "connecting"]


def test_a_refused_page_asks_again_after_a_while(run: Run) -> None:
    body = (
        SENDER
        + """
      line().drop(4403);
      sender.tick(steadyMs() + 15_000);
      const early = sockets.length;
      sender.tick(steadyMs() + 21_000);
      return [early, sockets.length];
    """
    )
    assert run(body) == [1, 2]


def test_after_busy_it_waits_a_little_and_sends_the_same_again(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      offer(2);
      ack(1, "busy");
      ack(2, "busy");
      const held = line().seqs;
      await new Promise((resolve) => setTimeout(resolve, 700));
      sender.tick(steadyMs());
      return [held, line().seqs];
    """
    )
    assert run(body) == [[1, 2], [1, 2, 1, 2]]


def test_a_picture_over_the_servers_size_is_not_sent(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome({ max_bytes: 50 });
      const taken = sender.offer({ atMs: steadyMs(), jpeg: new ArrayBuffer(51) });
      return [taken, line().seqs];
    """
    )
    assert run(body) == [False, []]


def test_a_wrong_time_makes_it_ask_for_the_time_anew_but_not_in_a_storm(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      offer(2);
      ack(1, "invalid", { reason: "too_old" });
      const after = [sender.state, sender.outbox.waiting];
      sender.tick(steadyMs() + 20_000);
      welcome({ last_seq: 2 });
      offer(1);
      ack(3, "invalid", { reason: "too_old" });
      return [...after, sender.state];
    """
    )
    assert run(body) == ["waiting", 0, "open"]


def test_a_message_of_an_old_line_changes_nothing(run: Run) -> None:
    body = (
        SENDER
        + """
      welcome();
      const old = line();
      sender.retry();
      old.hear({ type: "ack", seq: 1, verdict: "admitted" });
      old.drop(4409);
      return sender.state;
    """
    )
    assert run(body) == "connecting"


# --- Which state is shown ---


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("return stage.at(1_000);", "ready"),
        ("stage.result({ visits: [visit('a')] }, 2_000); return stage.at(2_500);", "new"),
        ("stage.result({ visits: [visit('a')] }, 2_000); return stage.at(5_500);", "present"),
        # A better result of the same person.
        (
            "stage.result({ visits: [visit('a')] }, 2_000);"
            "stage.result({ visits: [visit('a', { picture: '/p' })] }, 6_000); return stage.at(6_500);",
            "updated",
        ),
        (
            "stage.result({ visits: [visit('a')] }, 2_000);"
            "stage.result({ visits: [visit('a', { settled: true })] }, 8_000); return stage.at(8_100);",
            "settled",
        ),
        # A second person beside one who is settled.
        (
            "stage.result({ visits: [visit('a', { settled: true })] }, 2_000);"
            "stage.result({ visits: [visit('a', { settled: true }), visit('b')] }, 8_000); return stage.at(8_100);",
            "new",
        ),
        ("stage.result({ visits: [visit('a', { state: 'out_of_sight' })] }, 2_000); return stage.at(2_100);", "ready"),
        # The gate has seen nobody for a while, and analysis has no more to say.
        (
            "stage.result({ visits: [visit('a')] }, 2_000); stage.answer({ verdict: 'no_motion' }, 2_500);"
            "return stage.at(6_000);",
            "ready",
        ),
        # Pictures pass the gate and analysis is silent: nobody may call that "ready".
        ("stage.answer({ verdict: 'admitted', reason: 'person' }, 2_000); return stage.at(7_000);", "unanswered"),
        # A sample of what the gate refuses says nothing.
        ("stage.answer({ verdict: 'admitted', reason: 'sample' }, 2_000); return stage.at(7_000);", "ready"),
    ],
)
def test_the_page_shows_what_the_server_said_last(run: Run, body: str, state: Any) -> None:
    assert run(STAGE + body) == state


def test_who_was_there_when_the_page_opened_is_not_new(run: Run) -> None:
    body = STAGE.replace("stage.result({ visits: [] }, 1_000);", "stage.result({ visits: [visit('a')] }, 1_000);")
    assert run(body + "return stage.at(1_100);") == "present"
