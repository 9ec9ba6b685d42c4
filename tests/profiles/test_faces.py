from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import compare
from profiles.cluster import cluster
from profiles.engine import Engine
from profiles.faces import ARCFACE, SFACE, TEMPLATE, Embedder, Face, aligned, recipe_of, similarity
from profiles.gather import KEPT, FaceTrack, Gatherer, Seen, keep_best
from profiles.quality import frontality
from tests.profiles.people import like, vector


def face(points: Any) -> Face:
    return Face((0, 0, 112, 112), tuple(map(tuple, points)), 0.9)


@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(-500, 500), st.floats(-500, 500))
def test_however_a_face_lies_its_points_come_to_the_same_places(scale: float, turn: float, x: float, y: float) -> None:
    across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = scale * TEMPLATE @ across.T + [x, y]
    matrix = similarity(points, TEMPLATE)
    assert np.allclose(points @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)


def test_it_prepares_pixels_as_opencvs_own_sface_does(test_data: Path, tmp_path: Path) -> None:
    """Any model of that kind, under SFace's name, gives the vector that OpenCV would make of the same face."""
    model = tmp_path / "face_recognition_sface_2021dec.onnx"
    model.write_bytes((test_data / "face-models" / "mobilefacenet.onnx").read_bytes())
    frame_bgr = np.asarray(cv2.imread(str(test_data / "faces" / "query" / "obama1.jpg")), np.uint8)
    finder = cv2.FaceDetectorYN.create(
        str(test_data / "face-models" / "face_detection_yunet_2023mar.onnx"), "", frame_bgr.shape[1::-1]
    )
    row = finder.detect(frame_bgr)[1][0]
    opencv = cv2.FaceRecognizerSF.create(str(model), "")
    straight = opencv.alignCrop(frame_bgr, row)
    found = face(row[4:14].reshape(5, 2))
    assert np.abs(aligned(frame_bgr, found).astype(int) - straight.astype(int)).mean() < 1.0
    theirs = opencv.feature(straight).ravel()
    ours = Embedder(model).embed_aligned(np.asarray(straight, np.uint8))
    assert float(ours @ theirs) / np.linalg.norm(theirs) > 0.999


def test_the_recipe_goes_by_the_name() -> None:
    assert recipe_of("face_recognition_sface_2021dec") is SFACE
    assert recipe_of("mobilefacenet") is ARCFACE


def test_a_face_in_profile_is_not_frontal() -> None:
    turned = TEMPLATE.copy()
    turned[2, 0] = turned[0, 0]  # The nose below one eye.
    assert frontality(face(TEMPLATE)) > 0.7
    assert frontality(face(turned)) < 0.1


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (40, 40), (3_000, 20)])
def test_pictures_of_any_shape_are_looked_at(engine: Engine, size: tuple[int, int]) -> None:
    assert engine.finder.find(np.full((*size, 3), 127, np.uint8)) == []


# --- Point b ---

LABELS = {
    "johnsnow_test1.jpg": frozenset({"kit_harington"}),
    "kit_with_rose.jpg": frozenset({"kit_harington", "rose_leslie"}),
}


def test_public_figures_are_told_apart(engine: Engine, test_data: Path) -> None:
    folder = test_data / "faces"
    result = compare.compare(engine, folder / "enrol", [folder / "query", folder / "groups"], LABELS)
    assert result.precision == 1.0
    assert result.recall >= 0.9
    assert result.new == 4  # One profile for each of the four strangers of the groups.
    assert result.right >= 25


def test_what_is_no_picture_is_said(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "enrol" / "anne").mkdir(parents=True)
    (tmp_path / "query").mkdir()
    (tmp_path / "query" / "a.jpg").write_bytes(b"MZ no picture")
    (tmp_path / "query" / "empty.png").write_bytes(b"")
    result = compare.compare(engine, tmp_path / "enrol", [tmp_path / "query"], {})
    assert [file.name for file in result.unreadable] == ["a.jpg", "empty.png"]


# --- Tracks ---


def seen(index: int, quality: float = 0.5, base: int = 1, cosine: float = 0.9) -> Seen:
    return Seen(index, index / 5, quality, like(vector(base), cosine, index))


def track(number: int, indices: range, base: int = 1, **changes: Any) -> FaceTrack:
    best = [seen(index, base=base) for index in list(indices)[::3]][:KEPT]
    values = {
        "id": number,
        "person": None,
        "first_s": indices[0] / 5,
        "last_s": indices[-1] / 5,
        "found_s": indices[-1] / 5,
        "box": (0.0, 0.0, 10.0, 10.0),
        "indices": list(indices),
        "best": best,
        "clear": len(indices),
        "clear_from": indices[0],
        "clear_to": indices[-1],
        "crop": b"x",
        "crop_quality": 0.5,
    }
    return FaceTrack(**{**values, **changes})


def test_tracks_of_one_face_are_one_person() -> None:
    (one,) = cluster([track(1, range(10)), track(2, range(20, 30))], ARCFACE)
    assert (one.tracks, one.first_s, one.last_s, one.clear) == ([1, 2], 0.0, 5.8, 20)


def test_tracks_seen_in_one_sample_are_two_people_however_alike() -> None:
    assert len(cluster([track(1, range(10)), track(2, range(9, 20))], ARCFACE)) == 2


def test_twins_share_no_third_track() -> None:
    """What could be either's goes to one of them, and they stay apart."""
    people = cluster([track(1, range(10)), track(2, range(10)), track(3, range(20, 30))], ARCFACE)
    assert sorted(len(one.tracks) for one in people) == [1, 2]


def test_unlike_faces_are_people_of_their_own_and_unclear_ones_nobody() -> None:
    tracks = [track(1, range(10)), track(2, range(20, 30), base=2), track(3, range(40, 50), best=[], clear=0)]
    assert [one.tracks for one in cluster(tracks, ARCFACE)] == [[1], [2]]


def test_the_best_faces_are_kept_and_not_neighbours() -> None:
    best: list[Seen] = []
    for index in range(60):
        keep_best(best, seen(index, quality=(index % 10) / 10))
    assert len(best) <= KEPT
    times = sorted(one.index for one in best)
    assert all(b - a >= 3 for a, b in itertools.pairwise(times))
    assert max(one.quality for one in best) == 0.9


def test_its_state_goes_on_where_it_was(engine: Engine, test_data: Path) -> None:
    import msgpack

    frame_bgr = np.asarray(cv2.imread(str(test_data / "faces" / "query" / "obama_and_biden.jpg")), np.uint8)
    whole, first = Gatherer(engine.finder, engine.embedder), Gatherer(engine.finder, engine.embedder)
    for index in range(6):
        whole.take(index, index / 5, frame_bgr, [])
    for index in range(3):
        first.take(index, index / 5, frame_bgr, [])
    again = Gatherer(engine.finder, engine.embedder, msgpack.unpackb(msgpack.packb(first.state())))
    for index in range(3, 6):
        again.take(index, index / 5, frame_bgr, [])
    assert again.state() == whole.state()
    assert len(cluster(whole.tracks, engine.embedder.recipe)) == 2
