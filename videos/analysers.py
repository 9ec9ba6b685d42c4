"""What looks at every sample of a video besides the search for people, and which of them a video asked for.

Each is a module with `make(video, work, state) -> Analyser`. Those in FORGETTERS also have `forget(video)`, which
removes what the module keeps of a video outside of the video's own rows and files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from videos.models import Video

if TYPE_CHECKING:
    from detections.tracker import Track
    from videos.sampling import Sample

# By dotted name, for a web process that deletes a video loads none of them, and models are loaded where they are used.
MODULES: dict[str, tuple[str, Callable[[Video], bool]]] = {
    "poses": ("videos.poses", lambda video: video.wants_poses),
    "faces": ("videos.faces", lambda video: video.wants_faces),
}

FORGETTERS = ("videos.faces",)
LEFT_OUT = "left_out"


class Analyser(Protocol):
    """Sees every sample of one video in order; its rows go to a file in the video's work folder, its state to the
    checkpoint."""

    def take(self, sample: Sample, people: list[Track]) -> None: ...

    def state(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and bytes: all that the next sample depends on."""

    def finish(self) -> None:
        """After the last sample; may be repeated after a kill, with the same result."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """In the place of what cannot be looked for, or must not be: the rest of the analysis goes on."""

    remark: str  # A code of videos/problems.py.

    def take(self, sample: Sample, people: list[Track]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {LEFT_OUT: self.remark}

    def finish(self) -> None:
        pass


def make(video: Video, work: Path, states: dict[str, dict[str, Any]]) -> dict[str, Analyser]:
    """Those that the video asked for, by name, going on from the states of a checkpoint: what was left out until there
    stays so, for half of it would pass for all."""
    wanted = {name: dotted for name, (dotted, is_wanted) in MODULES.items() if is_wanted(video) and find_spec(dotted)}
    made: dict[str, Analyser] = {}
    for name, dotted in wanted.items():
        state = states.get(name)
        if state and LEFT_OUT in state:
            made[name] = LeftOut(state[LEFT_OUT])
        else:
            made[name] = import_module(dotted).make(video, work, state)
    return made


def forgetters() -> list[Callable[[Video], None]]:
    """What a video's deletion calls first, within its transaction; the web process imports these modules."""
    return [import_module(dotted).forget for dotted in FORGETTERS if find_spec(dotted)]
