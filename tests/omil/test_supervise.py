from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from omil import supervise
from omil.supervise import Program, Supervisor

pytestmark = pytest.mark.timeout(60)

SLEEPER = "import time; time.sleep(60)"


def program(name: str, code: str, is_ready: Callable[[], bool] = lambda: True) -> Program:
    return Program(name, (sys.executable, "-c", textwrap.dedent(code)), is_ready)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


class Running:
    """A supervisor at work, and what it has printed."""

    def __init__(self, programs: list[Program]) -> None:
        self.out = io.StringIO()
        self.supervisor = Supervisor(programs, self.out)
        self.task = asyncio.create_task(self.supervisor.run())

    async def stop(self) -> float:
        """Stops it; returns how long that took."""
        began = time.monotonic()
        self.supervisor.stopping.set()
        await self.task
        return time.monotonic() - began


@pytest.fixture
async def run() -> AsyncIterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*programs: Program) -> Running:
        running.append(Running(list(programs)))
        return running[-1]

    yield start
    for one in running:
        if not one.task.done():
            await one.stop()


# --- Which programs --------------------------------------------------------------------------------------------------


def test_a_procfile_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# what runs\n\nweb: python manage.py web\nclock: sh -c 'a b'\n")
    commands = supervise.read_procfile(tmp_path / "Procfile")
    assert commands == {"web": ("python", "manage.py", "web"), "clock": ("sh", "-c", "a b")}
    assert list(commands) == ["web", "clock"]


def test_a_procfile_line_without_a_command_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web\n")
    with pytest.raises(ValueError, match="expected 'name: command', found 'web'"):
        supervise.read_procfile(tmp_path / "Procfile")


def test_counts_leave_out_and_repeat() -> None:
    chosen = supervise.choose({"valkey": ("v",), "web": ("w",), "analysis": ("a",)}, {"valkey": 0, "analysis": 2})
    assert [(one.name, one.argv) for one in chosen] == [("web", ("w",)), ("analysis.1", ("a",)), ("analysis.2", ("a",))]


@pytest.mark.parametrize(
    ("quick_deaths", "wait_s"),
    [
        (0, 0),  # It had lived long enough.
        (1, 0),  # One accident is no loop.
        (2, 0.5),
        (5, 5),
        (1_000_000, 5),  # It is never given up, and never waits longer.
    ],
)
def test_only_a_loop_of_quick_deaths_waits(quick_deaths: int, wait_s: float) -> None:
    assert supervise.delay_s(quick_deaths) == wait_s


# --- Running ---------------------------------------------------------------------------------------------------------


async def test_a_killed_process_is_started_again_at_once(tmp_path: Path, run: Callable[..., Running]) -> None:
    pids = tmp_path / "pids"
    run(program("web", f"import os; open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n'); {SLEEPER}"))
    await until(lambda: len(numbers(pids)) == 1)
    killed = time.monotonic()
    os.kill(numbers(pids)[0], signal.SIGKILL)
    await until(lambda: len(numbers(pids)) == 2)
    assert time.monotonic() - killed < 2


async def test_a_process_that_always_dies_is_never_given_up(
    tmp_path: Path, run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "DELAYS_S", (0.0, 0.0, 0.01))
    starts = tmp_path / "starts"
    running = run(program("web", f"open({str(starts)!r}, 'a').write('1\\n'); raise SystemExit(3)"))
    await until(lambda: len(numbers(starts)) >= 12, timeout_s=20)
    assert "web | ended with code 3; starting it again in 0.01 s" in running.out.getvalue()


async def test_a_program_that_cannot_be_started_disturbs_no_other(tmp_path: Path, run: Callable[..., Running]) -> None:
    mark = tmp_path / "mark"
    running = run(Program("web", ("/nowhere/at-all",)), program("clock", f"open({str(mark)!r}, 'w'); {SLEEPER}"))
    await until(mark.exists)
    await until(lambda: "/nowhere/at-all" in running.out.getvalue())


async def test_a_program_starts_only_when_the_one_before_is_ready(tmp_path: Path, run: Callable[..., Running]) -> None:
    ready, mark = tmp_path / "ready", tmp_path / "mark"
    run(program("valkey", SLEEPER, ready.exists), program("web", f"open({str(mark)!r}, 'w'); {SLEEPER}"))
    await asyncio.sleep(0.5)
    assert not mark.exists()
    ready.touch()
    await until(mark.exists)


async def test_it_announces_once_all_are_ready() -> None:
    out, answers = io.StringIO(), iter([False, False, True])
    supervisor = Supervisor([program("web", SLEEPER, lambda: next(answers))], out)
    task = asyncio.create_task(supervisor.run(lambda: [f"ready: {next(answers, 'asked until then')}"]))
    await until(lambda: "ready: asked until then" in out.getvalue())
    os.kill(os.getpid(), signal.SIGTERM)
    await task
    assert out.getvalue().splitlines()[1:] == ["Stopping: what is under way is brought to its end.", "Stopped."]


async def test_lines_carry_their_process_and_long_ones_come_in_pieces(run: Callable[..., Running]) -> None:
    code = f"import sys; print('a\\r\\nb'); sys.stderr.write('x' * 200_000 + '\\nend'); sys.stderr.close(); {SLEEPER}"
    running = run(program("web", code), program("analysis", SLEEPER))
    await until(lambda: "end" in running.out.getvalue() or running.out.getvalue().count("x") == 200_000)
    await running.stop()
    *lines, last = running.out.getvalue().splitlines()
    assert last == "Stopped."
    assert lines[:2] == ["web      | a", "web      | b"]
    assert all(line.startswith(("web      | ", "analysis | ")) for line in lines)
    assert running.out.getvalue().count("x") == 200_000
    assert max(len(line) for line in lines) < 140_000


async def test_a_terminal_gets_a_colour_for_each_process() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    supervisor = Supervisor([program("web", "print('hello')")], out, {"PATH": os.environ["PATH"]})
    task = asyncio.create_task(supervisor.run())
    await until(lambda: "\x1b[36mweb |\x1b[0m hello" in out.getvalue())
    supervisor.stopping.set()
    await task
    assert not Supervisor([], Terminal(), {"NO_COLOR": "1"}).is_coloured


async def test_a_reader_that_never_reads_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(io.StringIO):
        def write(self, _: str) -> int:
            time.sleep(60)
            return 0

    mark = tmp_path / "mark"
    code = f"print('x' * 100 + '\\n' * 100_000, flush=True); open({str(mark)!r}, 'w'); {SLEEPER}"
    supervisor = Supervisor([program("web", code)], Stuck())
    task = asyncio.create_task(supervisor.run())
    await until(mark.exists)
    await until(lambda: supervisor.printer.left_out > 0)
    supervisor.stopping.set()
    await asyncio.wait_for(task, 10)


# --- Stopping --------------------------------------------------------------------------------------------------------


async def test_all_are_asked_to_stop_at_the_same_time(tmp_path: Path, run: Callable[..., Running]) -> None:
    code = f"""
        import pathlib, signal, sys, time
        def stop(*_):
            time.sleep(1)
            pathlib.Path({str(tmp_path)!r}, sys.argv[0] + str(time.time_ns())).touch()
            sys.exit()
        signal.signal(signal.SIGTERM, stop)
        print('up', flush=True)
        time.sleep(60)
    """
    running = run(*(program(f"p{n}", code) for n in range(4)))
    await until(lambda: running.out.getvalue().count("up") == 4)
    assert await running.stop() < 4
    assert len(list(tmp_path.iterdir())) == 4


async def test_what_does_not_stop_is_killed_with_what_it_started(
    run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "STOP_S", 0.5)
    code = f"""
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stubborn = 'import signal; signal.signal(15, signal.SIG_IGN); print("up", flush=True); {SLEEPER}'
        child = subprocess.Popen([sys.executable, '-c', stubborn])
        print('child', child.pid, flush=True)
        time.sleep(60)
    """
    running = run(program("web", code))
    await until(lambda: "up" in running.out.getvalue() and "child" in running.out.getvalue())
    child = int(running.out.getvalue().partition("child ")[2].split()[0])
    assert await running.stop() < 3
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_what_the_others_need_stops_once_they_have_ended(run: Callable[..., Running]) -> None:
    code = """
        import signal, sys, time
        def stop(*_):
            time.sleep(float(sys.argv[1]))
            sys.exit()
        signal.signal(signal.SIGTERM, stop)
        print('up', flush=True)
        time.sleep(60)
    """
    base, other = program("valkey", code), program("web", code)
    running = run(replace(base, argv=(*base.argv, "0"), is_base=True), replace(other, argv=(*other.argv, "1")))
    await until(lambda: running.out.getvalue().count("up") == 2)
    order: list[str] = []
    for name, keeper in running.supervisor.keepers.items():
        keeper.add_done_callback(partial(lambda name, _task: order.append(name), name))
    assert 1 < await running.stop() < 3
    assert order == ["web", "valkey"]


def test_the_limits_leave_room_within_ten_seconds() -> None:
    assert supervise.STOP_S + supervise.BASE_STOP_S + 1 < 10


SUPERVISOR = """
import asyncio, sys
from omil.supervise import Program, Supervisor
code = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"
asyncio.run(Supervisor([Program(n, (sys.executable, '-c', code)) for n in ('web', 'clock')]).run(lambda: ['ready']))
print('stopped')
"""


def start_supervisor() -> tuple[subprocess.Popen[str], list[int]]:
    """A supervisor in a process of its own, and the ids of its two children."""
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids: list[int] = []
    while len(pids) < 2:
        line = process.stdout.readline()
        assert line, "the supervisor ended"
        if "pid " in line:
            pids.append(int(line.split()[-1]))
    return process, pids


def wait_until_gone(pids: list[int]) -> None:
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
    assert not alive


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(number: signal.Signals) -> None:
    process, pids = start_supervisor()
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output.endswith("stopped\n")
    wait_until_gone(pids)


def test_a_killed_supervisor_takes_its_children_with_it() -> None:
    process, pids = start_supervisor()
    process.kill()
    process.communicate(timeout=10)
    wait_until_gone(pids)
