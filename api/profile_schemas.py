"""What the API shows and takes of people who were recognised by their faces. Vectors of faces are never shown."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BeforeValidator, Field, WithJsonSchema

from api.schemas import Body, UnitRef

Listing = Literal["none", "wanted", "allowed"]
# Maybe empty, without control characters, which a database may refuse.
Words = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Notes = Annotated[str, Field(max_length=4_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


def _day(text: object) -> date:
    if not isinstance(text, str) or len(text) != 10:
        raise ValueError("a date such as 1990-12-31 is expected")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class VideoRef(Schema):
    """The video that somebody appears in."""

    id: UUID
    title: str
    link: str


class AppearanceOut(Schema):
    """Somebody in one video, or before one camera on one day."""

    id: UUID
    profile: UUID
    video: VideoRef | None
    camera: str | None
    day: date | None = Field(description="With a camera; in the site's zone.")
    first_s: float | None = Field(description="With a video; of its own clock.")
    last_s: float | None
    first_at: datetime
    last_at: datetime
    quality: float
    similarity: float | None = Field(description="To the profile when it was recognised.")
    face: str = Field(description="The picture.")


class AppearancePage(Schema):
    items: list[AppearanceOut]
    next: str | None


class ProfileOut(Schema):
    """Somebody who is known by face, and perhaps by name."""

    id: UUID
    unit: UnitRef
    surname: str
    name: str
    middle_name: str
    sex: Literal["", "female", "male"]
    birth_date: date | None
    notes: str
    listing: Listing
    created_at: datetime
    seen_at: datetime
    face: str | None = Field(description="The best picture.")
    appearance_count: int
    appearances: list[AppearanceOut] | None = Field(description="The newest few, where `expand` asks for them.")
    page: str


class ProfilePage(Schema):
    items: list[ProfileOut]
    next: str | None


class VideoProfileOut(Schema):
    """Somebody who was recognised in a video."""

    profile: ProfileOut
    appearance: AppearanceOut


class VideoProfilePage(Schema):
    items: list[VideoProfileOut]
    next: str | None


class ProfileChange(Body):
    """What of a profile is to be otherwise; what is left out stays."""

    surname: Words = ""
    name: Words = ""
    middle_name: Words = ""
    sex: Literal["", "female", "male"] = ""
    birth_date: Day | None = None
    notes: Notes = ""
    listing: Listing = "none"


class ErasedOut(Schema):
    """What went with a profile."""

    appearances: int
    pictures: int
    faces: int = Field(description="Vectors.")
    negatives: int = Field(description="Negative examples.")
    questions: int
