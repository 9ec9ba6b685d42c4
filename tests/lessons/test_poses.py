"""The poses of a video: who they belong to, and the downloads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from pytest_django import Settings

from accounts.models import User
from detections.points import POINTS
from detections.pose import Pose
from detections.tracker import Track
from tests.lessons import told
from tests.lessons.conftest import Told
from videos import keypoints, poses, problems
from videos.analysers import LeftOut
from videos.models import Video, VideoVisit, visit_id


def a_pose(*box: float, confidence: float = 0.9) -> Pose:
    return Pose(np.array(box, np.float32), confidence, np.full((17, 3), 0.5, np.float32))


def a_track(track: int, *box: float) -> Track:
    left, top, right, bottom = box
    return Track(track, (left, top, right, bottom), 0.9, (0.0, 0.0), 0.0, 5)


HERE, THERE = (0, 0, 100, 200), (300, 0, 400, 200)


@pytest.mark.parametrize(
    ("found", "people", "told_as"),
    [
        # Each to their own, in the order of the tracks.
        ([a_pose(*THERE), a_pose(*HERE)], [a_track(1, *HERE), a_track(2, *THERE)], [(1, HERE), (2, THERE)]),
        # A second pose of one person is dropped, whether it overlaps or lies inside.
        ([a_pose(*HERE), a_pose(5, 5, 95, 190)], [a_track(1, *HERE)], [(1, HERE)]),
        ([a_pose(*HERE), a_pose(20, 10, 60, 80)], [a_track(1, *HERE)], [(1, HERE)]),
        # Somebody whom only the pose model sees is told if it is sure.
        ([a_pose(*HERE), a_pose(*THERE)], [a_track(1, *HERE)], [(1, HERE), (None, THERE)]),
        ([a_pose(*HERE), a_pose(*THERE, confidence=0.4)], [a_track(1, *HERE)], [(1, HERE)]),
        # A faint pose of a tracked person is told.
        ([a_pose(*HERE, confidence=0.3)], [a_track(7, *HERE)], [(7, HERE)]),
        # Nobody, in each way.
        ([], [a_track(1, *HERE)], []),
        ([a_pose(*HERE)], [], [(None, HERE)]),
        ([], [], []),
    ],
)
def test_each_pose_goes_to_its_track(
    found: list[Pose], people: list[Track], told_as: list[tuple[int | None, tuple[float, ...]]]
) -> None:
    assigned = poses.assign(found, people)
    assert [(track, tuple(pose.xyxy.tolist())) for pose, track in assigned] == told_as


def test_the_dancer_has_one_skeleton_in_nearly_every_sample(dancer: Told) -> None:
    rows = dancer.rows
    assert [row["sample"] for row in rows] == list(range(len(rows)))
    assert abs(len(rows) - 31.44 * 5) <= 1
    alone = [row for row in rows if len(row["people"]) == 1]
    assert len(alone) >= 0.95 * len(rows)
    sure = [sum(point[2] > 0.5 for point in row["people"][0]["points"]) for row in alone]
    assert np.mean(sure) >= 14


def test_an_analysis_that_was_stopped_goes_on_with_the_same_bytes(
    dancer: Told, pose_models: Path, tmp_path: Path
) -> None:
    # The tracker goes on too; only the analyser is made anew.
    again = told.by_the_models(dancer.clip, 5.0, pose_models, tmp_path, stop_at=40)
    assert again == dancer.lines


def test_without_a_model_it_says_so(settings: Settings, tmp_path: Path) -> None:
    left_out = poses.make(Video(), tmp_path, None)
    assert left_out == LeftOut("without_poses")
    assert left_out.remark in problems.SENTENCES


# --- Downloads ---


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def test_the_csv_has_a_row_per_person_and_sample(client: Client, bob: User, video: Video, dancer: Told) -> None:
    tracks = sorted({person["track"] for row in dancer.rows for person in row["people"]} - {None})
    VideoVisit.objects.create(id=visit_id(video.pk, 1), video=video, track_ids=tracks, first_s=0.0, last_s=31.4)
    client.force_login(bob)
    text = text_of(client, f"/videos/{video.pk}/keypoints.csv")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0] == list(keypoints.HEADER)
    assert len(lines[0]) == 9 + 3 * 17
    assert {len(line) for line in lines} == {len(lines[0])}
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == sum(max(1, len(row["people"])) for row in dancer.rows)
    assert {row["person"] for row in rows} <= {"1", ""}
    for row in rows:
        assert float(row["seconds"]) == pytest.approx(int(row["sample"]) / 5)
        values = [value for name, value in row.items() if name not in ("sample", "seconds") and value]
        assert all(np.isfinite(float(value)) for value in values)


def test_a_sample_without_people_is_a_row_of_empty_cells() -> None:
    point = [[1.5, 2.0, 0.9]] * 17
    rows = [
        {"sample": 0, "at_s": 0.0, "people": []},
        {"sample": 1, "at_s": 0.2, "people": [{"track": 4, "confidence": 0.8, "box": [1, 2, 3, 4], "points": point}]},
    ]
    lines = "".join(keypoints.as_csv(rows, {4: 2})).splitlines()
    assert len(lines) == 3
    assert lines[1] == "0,0.0" + "," * (len(keypoints.HEADER) - 2)
    assert lines[2].startswith("1,0.2,2,4,0.8,1,2,3,4,1.5,2.0,0.9,")


def test_the_json_names_the_points_and_holds_every_sample(
    client: Client, bob: User, video: Video, dancer: Told
) -> None:
    client.force_login(bob)
    told_ = json.loads(text_of(client, f"/videos/{video.pk}/keypoints.json"))
    assert told_["points"] == list(POINTS)
    assert (told_["width"], told_["samples_per_s"]) == (518, 5.0)
    assert [sample["seconds"] for sample in told_["samples"]] == [row["at_s"] for row in dancer.rows]
    assert told_["samples"][3]["people"][0]["points"] == dancer.rows[3]["people"][0]["points"]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_key_points_are_downloaded_under_the_videos_title(client: Client, bob: User, video: Video, suffix: str) -> None:
    Video.objects.filter(pk=video.pk).update(title="경례 1.MP4")
    client.force_login(bob)
    response = client.get(f"/videos/{video.pk}/keypoints.{suffix}")
    response.close()
    assert unquote(response["Content-Disposition"]) == f"attachment; filename*=utf-8''경례_1-keypoints.{suffix}"


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_key_points_are_for_those_who_may_watch_the_video(
    client: Client, charlie: User, video: Video, suffix: str
) -> None:
    address = f"/videos/{video.pk}/keypoints.{suffix}"
    assert client.get(address).status_code == 302
    client.force_login(charlie)
    assert client.get(address).status_code == 404


def test_a_video_without_poses_has_no_key_points(client: Client, bob: User, video: Video) -> None:
    client.force_login(bob)
    Video.objects.filter(pk=video.pk).update(wants_poses=False)
    assert client.get(f"/videos/{video.pk}/keypoints.csv").status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_the_server_streams_it_whole(bob: User, video: Video, dancer: Told) -> None:
    client = AsyncClient()
    await client.aforce_login(bob)
    response = await client.get(f"/videos/{video.pk}/keypoints.csv")
    text = b"".join([chunk async for chunk in response])  # type: ignore[attr-defined]
    assert text.decode() == "".join(keypoints.as_csv(dancer.rows, {}))
    await sync_to_async(connections.close_all)()
