"""What a source of pictures is to its reader: settings in, pictures out, or a fault that says what is wrong. Pure.

A kind of source is a module with one function, `read(settings, control)`: a generator that connects and yields what it
gets until the source ends or fails. The reader drives it, burns masks in, sends on, and reads again after a fault.
"""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cameras.addresses import Allowed, parse_allowed

# The module that reads each scheme; imported when it is needed, for every library makes a reader start later.
MODULES = {
    "http": "cameras.pull.web",
    "https": "cameras.pull.web",
    "rtsp": "cameras.pull.rtsp",
    "rtsps": "cameras.pull.rtsp",
    "file": "cameras.pull.file",
    "device": "cameras.pull.device",
}


class Fault(Exception):
    """The source gives no pictures. `code` is one of cameras/pull/problems; `detail` is plain and free of secrets."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reader is told, as one line of JSON. Masks are polygons of relative corners, 0.0 to 1.0."""

    camera_id: int
    source: str
    fps: float
    masks: tuple[tuple[tuple[float, float], ...], ...] = ()
    allow: tuple[str, ...] = ()  # Hosts and networks beyond what any source may use.
    max_bytes: int = 1_000_000
    max_pixels: int = 4_096 * 2_304
    ca: str = ""  # A file of certificates that are trusted beside the system's.
    connect_s: float = 5.0
    silent_s: float = 10.0  # Without a picture for so long the source has failed.
    copies_packets: bool = False  # Whether compressed pictures are wanted as they came, too.
    files_dir: str = ""  # The one folder below which `file:` may read.
    folder: str = ""  # The camera's folder, for what a reader keeps itself.

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Settings:
        fields: dict[str, Any] = json.loads(line)
        fields["masks"] = tuple(tuple((float(x), float(y)) for x, y in mask) for mask in fields["masks"])
        fields["allow"] = tuple(fields["allow"])
        return cls(**fields)

    @property
    def allowed(self) -> Allowed:
        return parse_allowed(self.allow)


@dataclass(frozen=True, slots=True)
class Connected:
    """The source answers and seems to be what it should; pictures follow. `code` names a fault that it has all the
    same."""

    detail: str = ""
    code: str = ""
    wants_answers: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    captured_at: float  # Unix seconds, of this machine's clock: those of cameras are wrong more often than not.
    jpeg: bytes
    is_made: bool = False  # Whether the source has encoded it, with the masks burnt in before; else it is as it came.


@dataclass(frozen=True, slots=True)
class Packets:
    """One group of compressed pictures, from a key frame to the next."""

    captured_at: float
    body: bytes


Item = Connected | Picture | Packets


class Control:
    """What ingest tells a reader while it runs; written by the thread that listens, read by the source."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.is_quiet = False  # The gate has refused everything for a while: decoding less would do.
        self.stopping = threading.Event()
        self._next_at = 0.0
        self._answered = threading.Condition()
        self._unanswered = 0

    def is_due(self, at: float) -> bool:
        """Whether the picture of this time (monotonic seconds) is to be sent on, at the rate wanted.

        A source of the very rate wanted loses no picture to its jitter, and a pause is not made up for.
        """
        step = 1 / self.fps
        if at < self._next_at - 0.3 * step:
            return False
        self._next_at = max(self._next_at, at - 0.5 * step) + step
        return True

    def wait_until_due(self, at: float) -> bool:
        """Sleeps until a picture is due, for a source that is asked for each; False when the reader is to end."""
        return not self.stopping.wait(max(0.0, self._next_at - at))

    def wait(self, seconds: float) -> bool:
        """Sleeps; False when the reader is to end."""
        return not self.stopping.wait(max(0.0, seconds))

    # --- For sources that lose nothing: a file that is read as fast as analysis goes ---

    def sent(self) -> None:
        with self._answered:
            self._unanswered += 1

    def answered(self) -> None:
        with self._answered:
            self._unanswered = max(0, self._unanswered - 1)
            self._answered.notify_all()

    def wait_for_answers(self, *, most: int, timeout_s: float) -> bool:
        """Until at most so many pictures are under way."""
        with self._answered:
            return self._answered.wait_for(lambda: self._unanswered <= most or self.stopping.is_set(), timeout_s)


Read = Callable[[Settings, Control], Iterator[Item]]


def reader_of(source: str) -> Read:
    """The function that reads this address. Raises Fault where nothing can."""
    scheme = source.partition(":")[0].lower()
    if scheme not in MODULES:
        raise Fault("unsupported", f"{scheme}:")
    try:
        read: Read = importlib.import_module(MODULES[scheme]).read
    except ModuleNotFoundError as error:
        raise Fault("unsupported", str(error.name)) from None
    return read


class Patience:
    """Notices that bytes come, but no picture: raises once the last picture is older than the source may be silent."""

    def __init__(self, silent_s: float) -> None:
        self.silent_s = silent_s
        self.pictured()

    def pictured(self) -> None:
        self._since = time.monotonic()

    def check(self, code: str = "silent", detail: str = "") -> None:
        if time.monotonic() - self._since > self.silent_s:
            raise Fault(code, detail or f"no picture for {self.silent_s:g} s")
