from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cameras import images
from detections import broadcast
from omil.bench import (
    api,
    clips,
    faces,
    figures,
    gate,
    ingest,
    latency,
    machine,
    pipeline,
    pull,
    record_copy,
    recording,
    report,
    suite,
    video,
    workplace,
)
from omil.bench.client import CameraSocket
from omil.bench.clips import Shot
from omil.bench.figures import Aim
from omil.bench.side import BenchError, Side
from omil.bench.sides.crowd import Measured as Crowd
from omil.bench.viewer import Viewer

pytestmark = pytest.mark.timeout(120)


# --- What rounds come to ---


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0], 95, 3.0),  # One value is every percentile.
        ([1.0, 2.0, 3.0, 4.0, 5.0], 50, 3.0),
        ([5.0, 1.0, 3.0], 50, 3.0),  # The order does not matter.
        ([0.0, 10.0], 95, 9.5),  # Between two neighbours.
        ([1.0, 2.0, 3.0], 100, 3.0),
    ],
)
def test_a_percentile_is_what_so_many_values_do_not_exceed(
    values: list[float], percent: float, expected: float
) -> None:
    assert figures.percentile(values, percent) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("aim", "value", "is_met"),
    [
        (Aim("a", least=0.85), 0.85, True),
        (Aim("a", least=0.85), 0.849, False),
        (Aim("a", most=2), 2.0, True),
        (Aim("a", most=2), 2.01, False),
    ],
)
def test_an_aim_is_met_up_to_its_edge(aim: Aim, value: float, is_met: bool) -> None:
    assert aim.is_met(value) is is_met


def side(frames: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {"frames": frames, "seconds": seconds, "cpu_s": seconds, **more}


def test_the_pipelines_ratios_compare_the_sides_of_one_round() -> None:
    """In the second round the machine was half as fast for everybody: that changes no ratio."""
    taken = [
        {
            "bare": side(100, 1.0 * slow),
            "pipeline": side(100, 1.25 * slow, visits=2),
            "track": side(40, 1.0 * slow),
            "track_same": side(40, 0.8 * slow),
        }
        for slow in (1, 2, 1)
    ]
    measured = pipeline.figures(taken)
    assert measured["efficiency"] == pytest.approx(0.8)
    assert measured["speedup_vs_yolo_track"] == pytest.approx(2.0)
    assert measured["speedup_vs_yolo_track_same_threads"] == pytest.approx(1.6)
    assert measured["frames_per_s"] == pytest.approx(80)


def test_the_turns_of_a_round_are_taken_together() -> None:
    turns = [{"pipeline": side(20, 1.0, visits=1)}, {"pipeline": side(20, 0.5, visits=3)}]
    assert pipeline.together(turns) == {"pipeline": {"frames": 40, "seconds": 1.5, "cpu_s": 1.5, "visits": 3}}


def round_of_latency(answered: int, latency_s: float) -> dict[str, list[float]]:
    return {"latency": [latency_s] * answered, "bare": [0.02] * 10, "ack": [0.004] * 10, "sent": [10.0]}


def test_latency_is_told_in_bare_inferences() -> None:
    measured = latency.figures([round_of_latency(10, 0.03), round_of_latency(10, 0.05), round_of_latency(10, 0.04)])
    assert (measured["p50_ms"], measured["p50_ratio"], measured["p95_ratio"]) == (40.0, 2.0, 2.0)


def test_latency_of_frames_that_were_never_analysed_is_no_figure() -> None:
    with pytest.raises(BenchError, match="Only 8 of 10 frames"):
        latency.figures([round_of_latency(8, 0.03)])


def round_of_gate(admitted: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"frames": 100, "cpu_s": 0.1, "verdicts": {"admitted": admitted}}, {"frames": 10, "cpu_s": 0.3}


def test_the_gate_is_compared_by_processor_time_per_frame() -> None:
    assert gate.figures([round_of_gate(1)])["cost_ratio"] == pytest.approx(1 / 30, abs=1e-3)


def test_a_gate_that_lets_the_empty_room_through_is_not_measured() -> None:
    with pytest.raises(BenchError, match="refuses only 50 %"):
        gate.figures([round_of_gate(50)])


def round_of_recording(*, slow: float = 1, frames: int = 200, has_ffmpeg: bool = True) -> recording.Round:
    """A small picture costs us as much as ffmpeg, a large one a quarter more."""

    def encoded(cpu_s: float, size: int) -> dict[str, Any]:
        return {"frames": 200, "cpu_s": cpu_s * slow, "finish_cpu_s": cpu_s * slow / 10, "size": size}

    theirs = {"ffmpeg_640x480": encoded(1.0, 1_000), "ffmpeg_1280x720": encoded(2.0, 2_000)} if has_ffmpeg else {}
    kept = {"intake": 1_020, "recorder": 30, "rows": 100, "media": 2_000, "received": 1_000, "size": 1_000}
    return {
        "encoder_640x480": encoded(1.0, 900),
        "encoder_1280x720": encoded(2.5, 2_000),
        **theirs,
        "keeper": {**kept, "frames": frames},
    }


def test_recording_is_compared_with_ffmpeg_by_the_size_that_comes_off_worse() -> None:
    measured = recording.figures([round_of_recording(), round_of_recording(slow=3), round_of_recording()])
    assert measured["cpu_ratio_640x480"] == pytest.approx(1.0)
    assert measured["cpu_ratio"] == measured["cpu_ratio_1280x720"] == pytest.approx(1.25)
    assert measured["cpu_ms_per_frame_640x480"] == pytest.approx(5.0)
    assert measured["size_ratio_640x480"] == pytest.approx(0.9)


def test_what_is_written_is_told_in_sizes_of_pictures_and_of_clips() -> None:
    measured = recording.figures([round_of_recording()])
    assert measured["picture_writes"] == pytest.approx(1.05)
    assert measured["clip_writes"] == pytest.approx(2.1)


def test_without_an_ffmpeg_program_there_is_no_ratio_but_the_rest() -> None:
    measured = recording.figures([round_of_recording(has_ffmpeg=False)])
    assert "cpu_ratio" not in measured
    assert measured["cpu_ms_per_frame_1280x720"] == pytest.approx(12.5)


def test_a_clip_that_lacks_pictures_is_not_measured() -> None:
    with pytest.raises(BenchError, match="199 of 200"):
        recording.figures([round_of_recording(frames=199)])


def test_only_frames_that_were_kept_count_as_ingested() -> None:
    taken = [
        {
            "seconds": 2.0,
            "verdicts": Counter({"no_motion": 90, "admitted": 10, "busy": 50, "invalid": 7}),
            "ack_s": [0.01, 0.02],
            "client_cpu": 0.2,
            "web_cpu_s": 0.5,
        }
    ]
    measured = ingest.figures(taken)
    assert measured["frames_per_s"] == 50
    assert measured["web_cpu_ms_per_frame"] == pytest.approx(5)


def round_of_pull(**ours: Any) -> pull.Round:
    report = {"seconds": 10.0, "cpu_s": 1.0, "packets": 250, "decoded": 100, "analysed": 50, **ours}
    return {scene: (report, {"seconds": 10.0, "cpu_s": 4.0}) for scene in pull.SCENES}


def round_of_record_copy() -> record_copy.Round:
    return {"cpu_s": 0.1, "finish_cpu_s": 0.05, "size": 400}, {"cpu_s": 4.0, "finish_cpu_s": 1.0, "size": 100}


def test_a_pulled_camera_is_measured_per_second_of_its_stream() -> None:
    measured = pull.figures([round_of_pull()])
    assert (measured["quiet_ratio"], measured["cpu_per_camera_busy"]) == (0.25, 0.1)
    assert (measured["decoded_share_quiet"], measured["analysed_per_s_busy"]) == (0.4, 5)
    with pytest.raises(BenchError, match="analysed"):
        pull.figures([round_of_pull(analysed=0)])


def test_a_copied_clip_is_measured_beside_an_encoded_one() -> None:
    measured = record_copy.figures([round_of_record_copy()])
    assert (measured["cpu_ratio"], measured["cpu_ms_per_s"], measured["size_ratio"]) == (0.025, 2.5, 4)


def round_of_video(**ours: Any) -> video.Round:
    theirs = {"samples": 100, "film_s": 20.0, "seconds": 4.0, "cpu_s": 8.0, "faces": 30}
    return {**theirs, "seconds": 5.0, "people": 1, "profiles": 1, "poses": 90, **ours}, theirs


def test_the_analysis_of_videos_is_compared_by_the_films_of_one_round_together() -> None:
    taken = video.together([round_of_video(), round_of_video(profiles=0, seconds=3.0)])
    measured = video.figures([taken])
    assert (measured["speed_ratio"], measured["s_per_s"], measured["samples"]) == (1.0, 5.0, 200)


@pytest.mark.parametrize(("ours", "message"), [({"samples": 99}, "saw 99 samples"), ({"poses": 0}, "no people, faces")])
def test_an_analysis_that_did_less_is_not_measured(ours: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        video.together([round_of_video(**ours)])


def round_of_faces(wrong: int = 0) -> dict[str, Any]:
    return {"match_s": [0.002, 0.004, 0.003], "search_s": [0.001], "wrong": wrong}


def test_a_match_is_told_in_milliseconds_and_only_where_it_is_right() -> None:
    about = {"first_read_s": 1.0, "known": 100_000}
    assert faces.figures(about, [round_of_faces()])["match_ms"] == pytest.approx(3)
    with pytest.raises(BenchError, match="1 faces"):
        faces.figures(about, [round_of_faces(wrong=1)])


def test_the_api_is_compared_by_the_requests_of_one_round() -> None:
    taken = [{"few": [0.01 * slow] * 3, "many": [0.012 * slow] * 3} for slow in (1, 3, 1)]
    measured = api.figures(taken)
    assert (measured["profiles_100x5_ms"], measured["profiles_100000_ratio"]) == (10.0, 1.2)


def test_an_answer_that_lacks_profiles_or_videos_is_not_measured() -> None:
    item = {"appearances": [{"video": {"id": number}} for number in range(api.VIDEOS)]}
    api.check({"items": [item] * api.FEW})
    with pytest.raises(BenchError, match="Not 100 profiles"):
        api.check({"items": [item] * (api.FEW - 1) + [{"appearances": item["appearances"][1:]}]})


# --- The report ---


def test_the_report_keeps_its_keys_nested_and_says_what_missed_its_aim(tmp_path: Path) -> None:
    measured = {"pipeline": {"efficiency": 0.8, "speedup_vs_yolo_track": 2.5}, "machine": {"cpu": "x"}, "rounds": 5}
    report.write(tmp_path / "bench" / "latest.json", measured)
    assert json.loads((tmp_path / "bench" / "latest.json").read_text()) == measured
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["latest.json"]
    first, second = report.lines(measured)
    assert "pipeline.efficiency" in first
    assert "MISSED" in first
    assert "met" in second


def test_every_aim_is_of_a_figure_that_is_measured() -> None:
    taken = [{name: side(1, 1.0, visits=0) for name in ("bare", "pipeline", "track", "track_same")}]
    keys = {f"pipeline.{name}" for name in pipeline.figures(taken)}
    keys |= {f"latency.{name}" for name in latency.figures([round_of_latency(10, 0.03)])}
    keys |= {f"gate.{name}" for name in gate.figures([round_of_gate(1)])}
    keys |= {f"recording.{name}" for name in recording.figures([round_of_recording()])}
    keys |= {f"pull.{name}" for name in pull.figures([round_of_pull()])}
    keys |= {f"record_copy.{name}" for name in record_copy.figures([round_of_record_copy()])}
    keys |= {f"video.{name}" for name in video.figures([round_of_video()])}
    keys |= {f"faces.{name}" for name in faces.figures({"first_read_s": 1.0, "known": 1}, [round_of_faces()])}
    keys |= {f"api.{name}" for name in api.figures([{"few": [0.01], "many": [0.01]}])}
    assert {aim.key for aim in figures.AIMS} <= keys


def test_the_machine_is_described_with_the_flags_that_matter() -> None:
    described = machine.describe("yolo26n · OpenVINO")
    assert described["cores"] >= 1
    assert set(described["flags"]) <= set(machine.FLAGS)
    assert "yolo26n · OpenVINO" in report.machine_line(described)


# --- The command ---


@pytest.mark.parametrize("arguments", [["--only", "gate,speed"], ["--only", ","], ["--rounds", "0"]])
def test_the_command_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"--only takes|--rounds must"):
        call_command("bench", *arguments)


def test_the_command_says_which_clip_is_missing(settings: Settings, tmp_path: Path) -> None:
    settings.TEST_DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=f"no {tmp_path}/videos/.*OMIL_TEST_DATA"):
        call_command("bench")


def test_the_command_runs_the_parts_asked_for_and_keeps_their_figures(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clips, "data", lambda: tmp_path)
    monkeypatch.setattr(suite, "prepare_model", lambda: "a detector")
    monkeypatch.setattr(gate, "measure", lambda rounds, say: {"cost_ratio": 0.05 * rounds})
    call_command("bench", "--rounds", "1", "--only", "gate")
    written = json.loads((settings.DATA_DIR / "bench" / "latest.json").read_text())
    assert written["gate"] == {"cost_ratio": 0.05}
    assert written["rounds"] == 1
    assert written["machine"]["detector"] == "a detector"
    assert set(written) == {"gate", "machine", "rounds"}


def test_a_missing_model_is_named_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    settings.TEST_DATA_DIR = tmp_path
    settings.OMIL_MODEL = "yolo26n.pt"
    with pytest.raises(BenchError, match=r"yolo26n\.pt"):
        workplace.model()


# --- Workplace and sides ---


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> Path:
    checkpoint = tmp_path / "some.pt"
    checkpoint.touch()
    settings.OMIL_MODEL = str(checkpoint)
    return checkpoint


def test_a_workplace_touches_no_installation(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://someone@db/omil")
    monkeypatch.setenv("OMIL_HOSTS", "omil.example")
    monkeypatch.setenv("OMIL_INFERENCE_THREADS", "3")
    with workplace.Workplace(OMIL_LINGER_S="0") as place:
        assert {"DATABASE_URL", "REDIS_URL", "OMIL_HOSTS", "OMIL_ADMIN_PASSWORD"}.isdisjoint(place.env)
        assert place.env["OMIL_DATA_DIR"] == str(place.folder)
        assert place.env["OMIL_MODEL"] == str(model)
        assert (place.env["OMIL_INFERENCE_THREADS"], place.env["OMIL_LINGER_S"]) == ("3", "0")
        assert (place.folder / "models").is_symlink()
    assert not place.folder.exists()


def test_a_side_that_fails_says_why(model: Path) -> None:
    with workplace.Workplace() as place, pytest.raises(BenchError, match=r"ended with code 1(.|\n)*No module named"):
        place.side("nobody").run()


def test_a_side_answers_questions_until_it_is_closed(model: Path) -> None:
    with workplace.Workplace() as place:
        place.manage("migrate", "--verbosity", "0")
        clerk = place.side("clerk")
        made = clerk.run(cameras=2)
        assert [camera["slug"] for camera in made["cameras"]] == ["bench-1", "bench-2"]
        assert all(camera["cookie"].startswith("omil_device_") for camera in made["cameras"])
        with pytest.raises(BenchError, match="measuring clerk ended"):
            clerk.run(cameras="many")


def test_a_side_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    here = Side("nobody", env={}, folder=tmp_path, log=tmp_path / "log")
    here.close()
    assert not Path(f"/proc/{here.pid}").exists()


def test_the_viewer_counts_what_is_published_to_its_camera(valkey: str) -> None:
    viewer = Viewer(valkey, 7)
    try:
        asyncio.run(_publish(valkey, broadcast.group(8)))
        asyncio.run(_publish(valkey, broadcast.group(7)))
        viewer.wait_for(1)
        assert viewer.received == 1
    finally:
        viewer.close()


async def _publish(url: str, group: str) -> None:
    layer = RedisPubSubChannelLayer(hosts=[{"address": url, "socket_timeout": None}])
    await layer.group_send(group, {"type": "camera.frame"})
    await layer.flush()


# --- The crowd ---


class Server:
    """Answers each frame a moment later and sees how many were under way."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.under_way = self.most = 0

    async def send(self, message: bytes) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        ack = {"type": "ack", "seq": int.from_bytes(message[4:8], "big"), "verdict": "no_motion", "credit": 2}
        asyncio.get_running_loop().call_later(0.001, self.messages.put_nowait, json.dumps(ack))

    async def recv(self) -> str:
        message = await self.messages.get()
        self.under_way -= 1
        return message


def test_a_camera_of_the_crowd_keeps_to_its_credit_and_waits_for_every_answer() -> None:
    crowd, server = Crowd.__new__(Crowd), Server()
    crowd.jpegs = [b"one", b"two"]
    camera = CameraSocket(server, credit=2)  # type: ignore[arg-type]
    asyncio.run(crowd._serve(camera, time.perf_counter() + 0.1))
    assert server.most == 2
    assert server.under_way == 0
    assert len(camera.ack_s) == camera.verdicts["no_motion"] == camera.seq > 2


# --- On real pictures ---


@pytest.fixture
def data(test_data: Path, settings: Settings) -> Path:
    settings.TEST_DATA_DIR = test_data
    return test_data


def test_pictures_keep_their_bytes_on_the_way_to_the_sides(data: Path, tmp_path: Path) -> None:
    shots = clips.read([60, 62])
    assert [images.size_of(shot.jpeg) for shot in shots] == [(640, 480)] * 2
    assert [shot.at_s for shot in shots] == pytest.approx([6.0, 6.2])
    assert clips.load(clips.store(tmp_path / "pictures", shots)) == shots


def test_there_and_back_repeats_without_showing_a_picture_twice_in_a_row() -> None:
    shots = [Shot(float(number), bytes([number])) for number in range(4)]
    assert [shot.jpeg[0] for shot in clips.there_and_back(shots)] == [0, 1, 2, 3, 2, 1]


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"EMPTY_FRAMES": 150, "ANALYSED_FRAMES": 15, "WARM_UP": 5}.items():
        monkeypatch.setattr(gate, name, value)


@pytest.mark.load
def test_the_gate_is_measured_through_real_processes(
    data: Path, models: Path, settings: Settings, short_rounds: None
) -> None:
    settings.MODELS_DIR = models
    settings.OMIL_MODEL = str(data / "weights" / "yolo26n.pt")
    said: list[str] = []
    measured = gate.measure(1, said.append)
    assert len(said) == 1
    assert 0 < measured["cost_ratio"] < 1
    assert measured["refused_share"] > 0.9
    assert list((settings.DATA_DIR / "bench").iterdir()) == []


@pytest.mark.timeout(300)
def test_recording_is_measured_through_real_processes(
    data: Path, models: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_DIR = models
    settings.OMIL_MODEL = str(data / "weights" / "yolo26n.pt")
    monkeypatch.setattr(recording, "FRAMES", 20)
    monkeypatch.setattr(recording, "CLIP_S", 12.0)
    said: list[str] = []
    measured = recording.measure(1, said.append)
    assert "round 1: encoder_640x480" in said[-1]
    assert measured["cpu_ms_per_frame_640x480"] < measured["cpu_ms_per_frame_1280x720"]
    assert 1 <= measured["picture_writes"] < 1.1
    assert 2 <= measured["clip_writes"] < 3  # So short a clip hardly outweighs its poster and its row.
    assert list((settings.DATA_DIR / "bench").iterdir()) == []


@pytest.mark.timeout(300)
def test_faces_are_matched_through_a_real_database(
    model: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "KNOWN", 300)
    measured = faces.measure(1, lambda _line: None)
    assert measured["known"] == 300
    assert measured["search_ms"] < measured["match_ms"] < 1_000
    assert list((settings.DATA_DIR / "bench").iterdir()) == []


@pytest.mark.load
@pytest.mark.timeout(300)
def test_videos_are_measured_through_real_processes(
    data: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_DIR = settings.DATA_DIR / "models"
    settings.OMIL_MODEL = str(data / "weights" / "yolo26n.pt")
    settings.OMIL_POSE_MODEL = str(data / "weights" / "yolo11n-pose.pt")
    settings.OMIL_FACE_DETECTOR = str(data / "face-models" / "face_detection_yunet_2023mar.onnx")
    settings.OMIL_FACE_EMBEDDER = str(data / "face-models" / "mobilefacenet.onnx")
    monkeypatch.setattr(video, "FILMS", ("head-pose-face-detection-male.mp4",))
    suite.prepare_model()
    measured = video.measure(1, lambda _line: None)
    assert measured["samples"] == 26
    assert measured["faces"] > 0
    assert 0.2 < measured["speed_ratio"] < 2
