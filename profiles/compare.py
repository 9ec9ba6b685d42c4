"""How well the face models tell people apart on pictures in folders; `manage.py match_faces` prints it. No database.

A folder of enrolled people has one folder of pictures for each; pictures to look up lie in folders, too: where a
picture's path speaks of an enrolled person, it shows them; else a folder among the queries holds the pictures of one
stranger, who becomes a profile with the first and is to be found again with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

import cv2
import numpy as np

from profiles.engine import Engine
from profiles.faces import Face, Picture, Vector, aligned
from profiles.match import Decision, Known
from profiles.quality import quality_of

KINDS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MOST_BYTES = 50_000_000
SPACE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Found:
    """A clear face of a picture; `people` are who the picture shows, empty where that is not known."""

    file: Path
    number: int
    vector: Vector
    people: frozenset[str]


@dataclass(slots=True)
class Looked:
    """What came of one face."""

    face: Found
    decision: Decision
    who: str  # Of the decision; empty for somebody new.


@dataclass(slots=True)
class Comparison:
    """Of pictures whose people are known: how many faces were given the right name, a wrong one, or none."""

    looked: list[Looked] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    faceless: list[Path] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    asked: int = 0
    missed: int = 0  # Of people who are known and in the picture, but whom no face was found to be.
    new: int = 0  # Profiles made of strangers.
    unjudged: int = 0  # Found to be somebody in a picture of which nobody said whom it shows.

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS and path.is_file())


def read(file: Path) -> Picture | None:
    """None for what is no picture."""
    if not 0 < file.stat().st_size <= MOST_BYTES:
        return None
    decoded = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return None if decoded is None else np.asarray(decoded, np.uint8)


def clear_faces(engine: Engine, frame_bgr: Picture) -> Iterator[tuple[Face, Vector]]:
    for face in engine.finder.find(frame_bgr):
        straight = aligned(frame_bgr, face)
        if quality_of(face, straight).is_clear:
            yield face, engine.embedder.embed_aligned(straight)


def enrolled(engine: Engine, folder: Path) -> tuple[Known, dict[UUID, str]]:
    """Each picture's largest face is the person whose folder it lies in."""
    known, names = Known(), {}
    for file in pictures(folder):
        name = file.relative_to(folder).parts[0]
        frame_bgr = read(file)
        faces = list(clear_faces(engine, frame_bgr)) if frame_bgr is not None else []
        if faces and file.parent != folder:
            _face, vector = max(faces, key=lambda pair: pair[0].width_px)
            names[uuid5(SPACE, name)] = name
            known.add([uuid5(SPACE, name)], vector[None])
    return known, names


def compare(engine: Engine, enrol: Path, queries: Iterable[Path], labels: dict[str, frozenset[str]]) -> Comparison:
    """`labels` name who is in a picture, by its path below its folder of queries; without one it is guessed from it."""
    known, names = enrolled(engine, enrol)
    result = Comparison()
    for folder in queries:
        for file in pictures(folder):
            frame_bgr = read(file)
            if frame_bgr is None:
                result.unreadable.append(file)
                continue
            people = labels.get(str(file.relative_to(folder))) or labelled(file.relative_to(folder), names.values())
            faces = [
                Found(file, number, vector, people)
                for number, (_face, vector) in enumerate(clear_faces(engine, frame_bgr), 1)
            ]
            if not faces:
                result.faceless.append(file)
            _look(result, engine, known, names, faces, people)
    return result


def labelled(file: Path, names: Iterable[str]) -> frozenset[str]:
    """Known people of whom the path speaks: their whole name, or its first word, is in it; else the folder's name."""
    words = file.with_suffix("").as_posix().lower().replace("/", "_").replace("-", "_")
    parts = {part.rstrip("0123456789") for part in words.split("_")}
    told = {name for name in names if name.lower() in words or name.lower().split("_")[0] in parts}
    return frozenset(told or set(file.parts[:-1][:1]))


def _look(
    result: Comparison,
    engine: Engine,
    known: Known,
    names: dict[UUID, str],
    faces: list[Found],
    people: frozenset[str],
) -> None:
    before, found = set(names.values()), set[str]()
    for face in faces:
        decision = known.decide(face.vector, engine.embedder.recipe)
        who = names[decision.profile] if decision.profile and decision.verdict != "new" else ""
        result.looked.append(Looked(face, decision, who))
        if decision.verdict == "same" and not people:
            result.unjudged += 1
        elif decision.verdict == "same":
            is_right = who in people and who not in found
            result.right += is_right
            result.wrong += not is_right
            found.add(who)
        elif decision.verdict == "maybe":
            result.asked += 1
        else:
            result.new += 1
            number = uuid5(SPACE, f"{face.file} {face.number}")
            names[number] = next(iter(people)) if len(people) == len(faces) == 1 else f"somebody {result.new}"
            known.add([number], face.vector[None])
    result.missed += len((people & before) - found)
