"""Files as sources, of one folder only, and devices that are not there."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av
import pytest

from cameras import images
from cameras.pull import device, file
from cameras.pull.source import Connected, Control, Fault, Item, Packets, Picture, Settings
from tests.cameras.pull import streams


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "files"
    (root / "gates").mkdir(parents=True)
    film = streams.encode(root / "gates" / "north.mp4", *streams.pattern(fps=10), seconds=2, group=10)
    (outside / "secret.mp4").write_bytes(film.read_bytes())
    (root / "link.mp4").symlink_to(outside / "secret.mp4")
    (root / "inside.mp4").symlink_to(film)
    (root / "notes.mp4").write_text("These are no pictures.")
    (root / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile {film}\n")
    (root / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{film}\n#EXT-X-ENDLIST\n")
    (root / "empty.mp4").touch()
    return root


def settings(folder: Path, source: str, **changes: object) -> Settings:
    values: dict[str, object] = {"fps": 5.0, "files_dir": str(folder), "copies_packets": True, **changes}
    return Settings(1, source, **values)  # type: ignore[arg-type]


def read(folder: Path, source: str, *, seconds: float = 60, control: Control | None = None) -> tuple[list[Item], str]:
    """All items with the fault at the end, or what came in so many seconds."""
    found: list[Item] = []
    ends_at = time.monotonic() + seconds
    try:
        for item in file.read(settings(folder, source), control or Control(5.0)):
            found.append(item)
            if time.monotonic() > ends_at:
                return found, ""
    except Fault as fault:
        return found, fault.code
    return found, "no fault"


def pictures(items: list[Item]) -> list[Picture]:
    return [item for item in items if isinstance(item, Picture)]


def test_a_file_is_played_once_in_real_time(folder: Path) -> None:
    began = time.time()
    items, code = read(folder, "file:gates/north.mp4")
    assert code == "ended"
    assert items[0] == Connected("h264")
    assert len(pictures(items)) == pytest.approx(10, abs=1)
    assert time.time() - began == pytest.approx(2, abs=0.8)
    assert all(began <= picture.captured_at <= time.time() for picture in pictures(items))
    assert {images.size_of(picture.jpeg) for picture in pictures(items)} == {(320, 240)}
    assert [item for item in items if isinstance(item, Packets)]


def test_it_begins_anew_where_that_is_wanted(folder: Path) -> None:
    items, code = read(folder, "file:gates/north.mp4?loop=1", seconds=3.2)
    assert code == ""
    assert len(pictures(items)) >= 13
    assert len([item for item in items if isinstance(item, Connected)]) == 1


def test_as_fast_as_analysis_goes_nothing_is_left_out_and_nothing_runs_ahead(folder: Path) -> None:
    control = Control(5.0)
    shown: list[Item] = []
    ended = threading.Event()

    def work() -> None:
        items, code = read(folder, "file:gates/north.mp4?fast=1", control=control)
        shown.extend(items)
        assert code == "ended"
        ended.set()

    began = time.monotonic()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(0.5)
    assert not ended.is_set()  # Two are under way, and nobody has answered.
    while not ended.is_set() and time.monotonic() < began + 20:
        control.answered()
        time.sleep(0.01)
    thread.join(5)
    assert shown[0] == Connected("h264", wants_answers=True)
    assert len(pictures(shown)) == 10
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "name",
    ["../secret.mp4", "link.mp4", "/etc/passwd", "gates", "", ".", "gates/../../secret.mp4", "none.mp4", "a\0b"],
)
def test_nothing_outside_the_folder_is_read(folder: Path, name: str) -> None:
    assert read(folder, f"file:{name}") == ([], "file_missing")


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    items, code = read(folder, "file:inside.mp4", seconds=0.3)
    assert pictures(items)
    assert code in ("", "ended")


@pytest.mark.parametrize("name", ["notes.mp4", "list.ffconcat", "list.m3u8", "empty.mp4"])
def test_what_is_no_film_or_a_list_of_others_is_unsupported(folder: Path, name: str) -> None:
    assert read(folder, f"file:{name}") == ([], "unsupported")


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert read(tmp_path / "none", "file:a.mp4") == ([], "file_missing")


def test_a_device_that_is_missing_says_so() -> None:
    with pytest.raises(Fault) as fault:
        list(device.read(Settings(1, "device:217", 5.0), Control(5.0)))
    assert (fault.value.code, fault.value.detail) == ("device_missing", "/dev/video217")


def test_what_a_device_sends_as_jpeg_is_passed_on_as_it_is(tmp_path: Path) -> None:
    """A stream of JPEGs in a file stands for the device, of which tests have none."""
    path = tmp_path / "webcam.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for _ in range(20):
            output.mux(stream.encode(av.VideoFrame(320, 240, "yuvj420p")))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        sent = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    with av.open(str(path)) as container:
        found = list(device.frames(container, Settings(1, "device:0", 25.0), Control(1_000.0)))
    assert found[0] == Connected("mjpeg 320×240")
    assert {picture.jpeg for picture in pictures(found)} <= set(sent)
    assert pictures(found)
