"""What can be wrong with a video or its upload: codes that are stored and sent, and sentences that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SENTENCES: dict[str, _StrPromise] = {
    # Of the upload.
    "no_length": gettext_lazy("The upload does not say how long the file is."),
    "bad_request": gettext_lazy("This upload cannot be understood. Load the page again and try once more."),
    "session_ended": gettext_lazy("Your session has ended. Log in again."),
    "empty": gettext_lazy("This file is empty."),
    "too_big": gettext_lazy("This file is too big: at most {bytes} are taken."),
    "piece_too_big": gettext_lazy("This piece of the file is too big: send it in smaller ones."),
    "too_much": gettext_lazy("More was sent than was announced."),
    "too_many_uploads": gettext_lazy("Too many of your uploads are not complete yet: at most {uploads} at once."),
    "no_space": gettext_lazy("There is not enough free space for this file on the server. Nothing of it was kept."),
    "no_unit": gettext_lazy("You may not upload videos for this unit."),
    "faces_off": gettext_lazy("The analysis of faces is not switched on for this unit; an admin can do that."),
    "bad_rate": gettext_lazy("Between 1 and 30 samples a second can be analysed."),
    # Of the content.
    "not_video": gettext_lazy("This is no video of a kind that is taken: MP4, MOV, MKV, AVI or WebM."),
    "unreadable": gettext_lazy("This file begins like a video but cannot be read: it is damaged."),
    "cut_off": gettext_lazy("This file ends too early: the rest of it is missing. Copy it anew and upload that."),
    "no_stream": gettext_lazy("There are no moving pictures in this file."),
    "no_pictures": gettext_lazy(
        "None of this video's pictures can be decoded: they are damaged, or of no sensible size."
    ),
    "no_fps": gettext_lazy("This video does not say when its pictures are shown (0 pictures a second)."),
    "fps_too_high": gettext_lazy("This video has too many pictures a second: at most {fps} are taken."),
    "too_small": gettext_lazy("This video's pictures are too small: at least 16 × 16 pixels are needed."),
    "too_large": gettext_lazy("This video's pictures are too large: at most 8192 × 8192 pixels are taken."),
    "too_long": gettext_lazy("This video is too long: at most {hours} hours are taken."),
    "too_heavy": gettext_lazy("Reading this file takes far more memory or time than a video should. It was refused."),
    # Of the analysis.
    "no_times": gettext_lazy("This video does not say when its pictures are shown."),
    "too_many_pictures": gettext_lazy("This video has more pictures than its length allows."),
    "crashed": gettext_lazy("The analysis stopped several times at the same place of this video and was given up."),
    "store_away": gettext_lazy(
        "The storage of videos cannot be reached or has no room. Nothing is lost: this goes on once it can be written."
    ),
    "lost": gettext_lazy("The file of this video is not there any more."),
    "no_model": gettext_lazy("There is no model to find people with yet. The analysis begins when there is one."),
    # Remarks on what was analysed.
    "own_model": gettext_lazy(
        "People were looked for with Omil's own model, for the weights asked for were not ready. Those find more."
    ),
    "damaged": gettext_lazy("Parts of this film are damaged and could not be read. Who is in them was not seen."),
    "without_poses": gettext_lazy(
        "Poses were not looked for: there was no model for them. The README says how to get one."
    ),
    "without_faces": gettext_lazy(
        "Faces were not looked for: there were no models for them. The README says how to get them."
    ),
    "faces_forbidden": gettext_lazy("Faces were not looked for: that has been switched off for this unit."),
    "nobody_to_follow": gettext_lazy("No motion lesson can be made of this video: too little of one body is seen."),
    "no_poses_to_follow": gettext_lazy("No motion lesson can be made of this video: no poses were found in it."),
    "too_long_to_follow": gettext_lazy("No motion lesson can be made of this video: it is longer than half an hour."),
    "several_to_follow": gettext_lazy(
        "No motion lesson can be made of this video: several people in it are as large as each other, and nobody would "
        "know whom to follow."
    ),
    "failed": gettext_lazy("The analysis of this video failed; the log of the media worker says why."),
}


class Refused(Exception):
    """The file is not taken; `code` is one of the above."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def sentence(code: str) -> str:
    """For people, in the language of the moment."""
    if not code:
        return ""
    values = {
        "bytes": filesizeformat(settings.VIDEO_MAX_BYTES),
        "uploads": settings.VIDEO_UPLOADS,
        "fps": f"{settings.VIDEO_MAX_FPS:g}",
        "hours": f"{settings.VIDEO_MAX_S / 3_600:.3g}",
    }
    return str(SENTENCES.get(code) or _("Something is wrong with this video.")).format(**values)
