"""Cuts one camera's takes from its ring, as the rule decides on its log; the recorder calls it twice a second.

The order makes a kill harmless: links, `take.json`, the checkpoint, the row; only then is a take called over. Repeating
any of it changes nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from bisect import bisect_left
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings

from cameras import folders
from cameras.entries import Entry
from cameras.ring import captured_at_of, scan
from cameras.spool import SEGMENT, Spool
from recordings import rule, takes
from recordings.copy_links import PacketLinks
from recordings.rows import CameraRules
from recordings.rule import Cut, Decider
from recordings.takes import Take, TakeFolder

logger = logging.getLogger(__name__)

PATIENCE_S = 1.0  # Beyond the lag that analysis may have.
NAME, VERSION = "recorder", 1


class Cutter:
    """One camera's takes. Its log and files are one thread's work, its rows another's; the lock keeps them apart."""

    def __init__(self, camera_id: int) -> None:
        self.camera_id = camera_id
        self.spool = Spool(folders.of(camera_id))
        self._ring = self.spool.folder / "ring"
        self._packets = PacketLinks(self.spool.folder)
        self._now = 0.0
        self.lock = threading.Lock()
        self.decider, self._saved = self._restore()
        self._takes: dict[str, Take] = {}  # As last written.
        self._next: dict[str, int] = {}  # The take's pictures from before this microsecond are linked.
        self._linked: dict[str, list[int]] = {}  # Capture times of those linked that `last_at` does not know yet.
        self._is_swept = False

    # --- The work of half a second ---

    def tick(self, about: CameraRules, now: float) -> None:
        """Raises OSError where the disk refuses; what was left undone is done by the next."""
        with self.lock:
            self._now = now
            self.decider.follow(about.rules)
            entries = self._read(now)
            while not self._decide(entries, now):
                self._keep()  # Now and then, for what is to be linked does not stay in the ring for long.
                entries = self._read(now)
            if not about.is_enabled:
                self.decider.lose()
            self._keep()
            if not self._is_swept:
                self._adopt()
                self._is_swept = True

    def _read(self, now: float) -> list[Entry]:
        if self.spool.last_n() < self.decider.n:
            logger.warning("camera %d: its log began anew, and so does its recorder", self.camera_id)
            self.decider.lose()
            self.decider.n = 0
        return self.spool.after(self.decider.n)

    def _decide(self, entries: list[Entry], now: float) -> bool:
        """Takes these entries in; whether there is no more to be decided now."""
        patience_s = settings.MAX_LAG_S + PATIENCE_S
        for entry in entries:
            # A clock that was set back must not make an entry wait for an hour.
            is_overdue = abs(now - entry.received_at) > patience_s
            if not self.decider.take(entry, is_overdue=is_overdue):
                return True
        return len(entries) < SEGMENT

    def _keep(self) -> None:
        names = self._names()
        for cut in self.decider.cuts:
            if cut.id not in self._next:
                self._open(cut)
            self._link(cut, names)
        for cut in self.decider.cuts:  # After all are linked, for one may take pictures that another gives up.
            self._describe(cut)
        wanted = {cut.id for cut in self.decider.cuts}
        for take_id in set(self._next) - wanted:
            self._drop(take_id)
        self._save()

    # --- Takes ---

    def _folder(self, take_id: str) -> TakeFolder:
        return takes.folder_of(self.camera_id, take_id)

    def _open(self, cut: Cut) -> None:
        folder = self._folder(cut.id)
        with suppress(FileNotFoundError, ValueError):  # It was open before this process began.
            self._takes[cut.id] = folder.read()
        known = self._takes.get(cut.id)
        if known is None:
            folder.make()
            for picture in self._folder(cut.follows).pictures() if cut.follows else ():
                if _micros_of(picture.name) >= _micros(cut.start) and folder.link(picture):
                    self._linked.setdefault(cut.id, []).append(_micros_of(picture.name))
        self._next[cut.id] = _micros(known.linked_until if known else cut.start)

    def _names(self) -> list[str]:
        """The ring's pictures in order of capture, where any cut may need them."""
        if all(self._next.get(cut.id, 0) > self._last(cut) for cut in self.decider.cuts):
            return []
        return sorted(scan(self._ring))

    def _link(self, cut: Cut, names: list[str]) -> None:
        """Links all that was received, also what turns out later not to be wanted: the ring forgets it too soon."""
        folder, first, last = self._folder(cut.id), self._next[cut.id], self._last(cut)
        if not cut.is_over:
            last = min(last, _micros(self.decider.time))
        for name in names[bisect_left(names, first, key=_micros_of) :]:
            if (at := _micros_of(name)) > last:
                break
            if folder.link(self._ring / name):
                self._linked.setdefault(cut.id, []).append(at)
        self._next[cut.id] = max(first, last + 1)
        self._packets.link(folder.path, first_us=_micros(cut.start), last_us=last)

    def _last(self, cut: Cut) -> int:
        """The last microsecond of the cut, or of what was received, where its end is not known."""
        if cut.end is None:
            return _micros(self.decider.time)
        return _micros(cut.end) - (cut.end_reason == "limit")  # The very edge belongs to the next.

    def _describe(self, cut: Cut) -> None:
        folder, known = self._folder(cut.id), self._takes.get(cut.id)
        if known and known.is_over:  # A killed recorder said so.
            return
        if cut.end is not None and (known is None or known.end is None):
            for picture in folder.pictures():
                if _micros_of(picture.name) > self._last(cut):
                    picture.unlink(missing_ok=True)
        take = self._take(cut, known)
        if take == known:
            return
        try:
            folder.write(take)
        except FileNotFoundError:
            logger.warning("camera %d: take %s was removed", self.camera_id, cut.id)
            self.decider.forget(cut.id)
            self._forget(cut.id)
            return
        self._takes[cut.id] = take

    def _take(self, cut: Cut, known: Take | None) -> Take:
        until = min(_micros(self.decider.wanted_until(cut)), self._last(cut)) + 1
        until = max(until, _micros(known.linked_until) if known else 0)
        last_at = known.last_at if known else 0.0
        # Not by a look into the folder, where thousands may wait for media workers that are behind.
        for at in self._linked.pop(cut.id, []):
            if at < until:
                last_at = max(last_at, at / 1e6)
            else:
                self._linked.setdefault(cut.id, []).append(at)
        return Take(
            id=cut.id,
            camera_id=self.camera_id,
            reason=cut.reason,
            is_unanalysed=cut.is_unanalysed,
            start=cut.start,
            end=cut.end,
            linked_until=until / 1e6,
            last_at=last_at,
            max_people=cut.max_people,
            is_confirmed=cut.is_confirmed,
            is_over=False,  # Said last of all, by `told`.
            end_reason=cut.end_reason,
        )

    def _drop(self, take_id: str) -> None:
        self._folder(take_id).remove()
        self._forget(take_id)

    def _forget(self, take_id: str) -> None:
        self._takes.pop(take_id, None)
        self._next.pop(take_id, None)
        self._linked.pop(take_id, None)
        self._packets.forget(take_id)

    def _adopt(self) -> None:
        """Ends what a killed recorder had begun and this one, which knows more by now, would not begin."""
        known = {cut.id for cut in self.decider.cuts}
        for folder in takes.folders_of(self.camera_id):
            if folder.id in known:
                continue
            take = None
            with suppress(FileNotFoundError, ValueError):
                take = folder.read()
            if take is None or not (take.is_over or take.is_confirmed):
                folder.remove()
            elif not take.is_over:
                self.decider.cuts.insert(0, _cut_of(take))
        self._keep()

    # --- For the other thread ---

    def confirmed(self) -> list[tuple[Take, bool]]:
        """The takes that are clips, and whether each is over."""
        with self.lock:
            cuts = {cut.id: cut for cut in self.decider.cuts}
            return [
                (take, cuts[take.id].is_over and not self._lacks_packets(take))
                for take in self._takes.values()
                if take.is_confirmed and take.id in cuts
            ]

    def _lacks_packets(self, take: Take) -> bool:
        end = take.last_at if take.end is None else min(take.end, take.last_at)
        return self._packets.are_awaited(self._folder(take.id).path, end=end, now=self._now)

    def close(self, take: Take) -> None:
        """The row says that the take is over; now the media workers may finish it."""
        with self.lock:
            with suppress(FileNotFoundError):
                self._folder(take.id).write(replace(take, is_over=True))
            self._part_with(take)

    def came_to_nothing(self, take: Take) -> None:
        """Over, and not one picture of it was in the ring."""
        with self.lock:
            self._folder(take.id).remove()
            self._part_with(take)

    def _part_with(self, take: Take) -> None:
        self.decider.forget(take.id)
        self._forget(take.id)
        self._save()

    # --- Kept between two processes ---

    def _restore(self) -> tuple[Decider, dict[str, Any]]:
        try:
            raw = json.loads((self.spool.folder / NAME).read_bytes())
            if raw.pop("version") == VERSION:
                return self._without_finished(rule.restored(self.camera_id, raw)), raw
            logger.warning("camera %d: the recorder's checkpoint is of another version", self.camera_id)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # A power cut may leave it empty.
            logger.error("camera %d: the recorder's checkpoint is damaged: %s", self.camera_id, error)
        return Decider(self.camera_id), {}

    def _without_finished(self, decider: Decider) -> Decider:
        """Folders are made before they are noted here: a cut without one was finished, or was dropped."""
        decider.cuts = [cut for cut in decider.cuts if self._folder(cut.id).path.is_dir()]
        return decider

    def _save(self) -> None:
        state = self.decider.state()
        if state == self._saved:
            return
        fresh = self.spool.folder / f".{NAME}"
        fresh.write_text(json.dumps({"version": VERSION, **state}))
        fresh.replace(self.spool.folder / NAME)
        self._saved = state


def _micros(at: float) -> int:
    """As pictures are named; a float of seconds is not exact enough to compare with."""
    return round(at * 1e6)


def _micros_of(name: str) -> int:
    return _micros(captured_at_of(name))


def _cut_of(take: Take) -> Cut:
    end = take.last_at if take.end is None else min(take.end, take.linked_until)
    return Cut(
        take.id,
        take.reason,  # type: ignore[arg-type]  # It was the rule's.
        take.start,
        take.start,
        end,
        is_confirmed=True,
        is_unanalysed=take.is_unanalysed,
        max_people=take.max_people,
        end=end,
        end_reason="over",
        is_over=True,
    )
