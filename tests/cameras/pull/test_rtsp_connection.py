"""Where a redirection leads to, and whether the password goes with it."""

from __future__ import annotations

import pytest

from cameras.pull.rtsp_connection import redirected
from cameras.pull.source import Fault


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("rtsp://user:pw@cam/one", "rtsp://cam/two", "rtsp://user:pw@cam/two"),
        ("rtsp://user:pw@cam/one", "/two", "rtsp://user:pw@cam/two"),
        ("rtsp://user:pw@cam/one", "rtsps://cam/two", "rtsps://user:pw@cam/two"),
        ("rtsp://user:pw@cam/one", "rtsp://other/two", "rtsp://other/two"),
        ("rtsps://user:pw@cam/one", "rtsp://cam/two", "rtsp://cam/two"),  # It would be told to everybody on the way.
        ("rtsp://user:pw@cam/one", "rtsp://new:pw2@cam/two", "rtsp://new:pw2@cam/two"),
    ],
)
def test_the_password_goes_with_the_same_host_over_no_worse_a_connection(url: str, location: str, target: str) -> None:
    assert redirected(url, location) == target


@pytest.mark.parametrize(
    "location",
    ["http://cam/", "file:///etc/passwd", "rtsp://cam:99999999/", "rtsp://cam:0/", "rtsp://cam:x/", "rtsp://[::1/"],
)
def test_what_is_no_rtsp_is_not_followed(location: str) -> None:
    with pytest.raises(Fault):
        redirected("rtsp://user:pw@cam/one", location)
