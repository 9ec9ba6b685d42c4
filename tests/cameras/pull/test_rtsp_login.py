"""Answers to challenges, by the examples of the standards."""

from __future__ import annotations

import re
from base64 import b64encode
from unittest.mock import patch

import pytest

from cameras.pull.rtsp_login import Login

# RFC 2069's without quality (errata 749), RFC 2617's and RFC 7616's.
EXAMPLES = [
    (
        'realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5c"',
        "Mufasa:CircleOfLife",
        "",
        "/dir/index.html",
        "1949323746fe6a43ef61f9606e7febea",
    ),
    (
        'realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5c"',
        "Mufasa:Circle%20Of%20Life",
        "0a4f113b",
        "/dir/index.html",
        "6629fae49393a05397450978507c4ef1",
    ),
    (
        'realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        "Mufasa:Circle of Life",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "/dir/index.html",
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    ),
]


@pytest.mark.parametrize(("challenge", "userinfo", "cnonce", "uri", "response"), EXAMPLES)
def test_digest_gives_what_the_standards_say(
    challenge: str, userinfo: str, cnonce: str, uri: str, response: str
) -> None:
    login = Login(userinfo)
    assert login.take([f"Digest {challenge}", 'Basic realm="x"'])
    with patch("secrets.token_hex", return_value=cnonce):
        [(name, words)] = login.fields("GET", uri)
    assert name == "Authorization"
    assert f'response="{response}"' in words
    assert f'uri="{uri}"' in words


def test_each_use_of_a_nonce_is_counted() -> None:
    login = Login("user:word")
    assert login.take(['Digest realm="r", nonce="n", qop="auth"'])
    counts = [re.findall(r"nc=(\w+)", login.fields("PLAY", "u")[0][1]) for _ in range(3)]
    assert counts == [["00000001"], ["00000002"], ["00000003"]]
    assert login.take(['Digest realm="r", nonce="m", qop="auth", stale=true'])
    assert "nc=00000001" in login.fields("PLAY", "u")[0][1]


def test_basic_is_used_where_there_is_no_digest_that_we_know() -> None:
    login = Login("us%65r:a%3Ab")
    assert login.take(['Digest realm="r", nonce="n", algorithm=X', 'Basic realm="x"'])
    assert login.fields("PLAY", "u") == (("Authorization", "Basic dXNlcjphOmI="),)


@pytest.mark.parametrize(
    ("userinfo", "challenges"),
    [("", ['Basic realm="x"']), ("user:word", []), ("user:word", ["Negotiate", "", "Digest algorithm=X"])],
    ids=["nobody", "no challenge", "none that we know"],
)
def test_what_cannot_be_answered_is_not(userinfo: str, challenges: list[str]) -> None:
    login = Login(userinfo)
    assert not login.take(challenges)
    assert login.fields("PLAY", "u") == ()


def test_names_in_any_script_are_sent_as_utf8_and_never_end_the_line() -> None:
    for userinfo in ("문:비밀", "%EB%AC%B8:%EB%B9%84%EB%B0%80", "%0d%0a문:비%00밀"):
        login = Login(userinfo)
        assert login.take(['Basic realm="x"'])
        assert login.fields("PLAY", "u") == (("Authorization", f"Basic {b64encode('문:비밀'.encode()).decode()}"),)
        assert login.take(['Digest realm="x", nonce="n"'])
        [(_name, words)] = login.fields("PLAY", "u")
        assert 'username="문"' in words.encode("latin-1").decode()
