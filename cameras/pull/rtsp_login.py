"""Answers an RTSP server that asks for user and password: Digest (RFC 2617, RFC 7616) or Basic. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, unquote

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s",]+))')
SESSION = "-SESS"
BYTES = "latin-1"  # A character for each byte, as in messages.


class Login:
    """One server's; `userinfo` as it stands in a URL, "" for none."""

    def __init__(self, userinfo: str) -> None:
        self._is_known = bool(userinfo)
        user, _colon, password = userinfo.partition(":")
        self._user, self._password = _plain(user), _plain(password)
        self._kind = ""
        self._asked: dict[str, str] = {}
        self._count = 0  # Of answers with this nonce.

    def take(self, challenges: Iterable[str]) -> bool:
        """Whether one of these can be answered; Digest first, for it does not give the password away."""
        self._kind, self._asked, self._count = "", {}, 0
        for kind, _space, rest in (each.strip().partition(" ") for each in challenges):
            asked = {name.lower(): quoted or plain for name, quoted, plain in reversed(PARAMETER.findall(rest))}
            if kind.lower() == "digest" and self._kind != "digest" and self._algorithm(asked) in HASHES:
                self._kind, self._asked = "digest", asked
            elif kind.lower() == "basic":
                self._kind = self._kind or "basic"
        return self._is_known and bool(self._kind)

    def fields(self, method: str, uri: str) -> tuple[tuple[str, str], ...]:
        """What to send with this request; nothing as long as the server has not asked."""
        if not self._is_known or not self._kind:
            return ()
        basic = b64encode(f"{self._user}:{self._password}".encode(BYTES)).decode()
        words = f"Basic {basic}" if self._kind == "basic" else f"Digest {self._digest(method, uri)}"
        return (("Authorization", words),)

    @staticmethod
    def _algorithm(asked: dict[str, str]) -> str:
        return asked.get("algorithm", "MD5").upper().removesuffix(SESSION)

    def _digest(self, method: str, uri: str) -> str:
        asked = self._asked
        self._count += 1
        nonce, count, ours = asked.get("nonce", ""), f"{self._count:08x}", secrets.token_hex(8)

        def digest(*words: str) -> str:
            return HASHES[self._algorithm(asked)](":".join(words).encode(BYTES)).hexdigest()

        secret = digest(self._user, asked.get("realm", ""), self._password)
        if asked.get("algorithm", "").upper().endswith(SESSION):
            secret = digest(secret, nonce, ours)
        has_quality = "auth" in re.split(r"[\s,]+", asked.get("qop", "").lower())
        counted = (nonce, count, ours, "auth") if has_quality else (nonce,)
        said = {"username": self._user, "realm": asked.get("realm", ""), "nonce": nonce, "uri": uri}
        said["response"] = digest(secret, *counted, digest(method, uri))
        said |= {"opaque": asked["opaque"]} if "opaque" in asked else {}
        said |= {"cnonce": ours} if has_quality or "algorithm" in asked else {}
        words = [f'{name}="{value}"' for name, value in said.items()]
        words += [f"algorithm={asked['algorithm']}"] if "algorithm" in asked else []
        words += ["qop=auth", f"nc={count}"] if has_quality else []
        return ", ".join(words)


def _plain(text: str) -> str:
    """Without what would end the line in which it is sent."""
    return re.sub(r"[\x00-\x1f]", "", unquote(quote(text, safe=string.punctuation), BYTES))
