"""Stands between FFmpeg and an RTSP server, on the one connection to it: its address and certificate checked. Pure.

FFmpeg would connect by itself wherever an answer sends it on to. So it is given a port of ours, and never sees such an
answer. It asks for that port's URL; the server is asked for its own, by rewriting the request's first line, and given
our Authorization, which must fit that line: FFmpeg has no password. With the Content-Base that it is told, which is the
server's own or the real URL, all later requests are right as they are, and so are absolute URLs in a description.
"""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from cameras.pull.rtsp_login import Login
from cameras.pull.rtsp_messages import Incoming, Message
from cameras.pull.source import Fault, Settings

PARTING_S = 0.5  # FFmpeg's last word, with which the server frees the session, is passed on within this.


class Forwarder:
    """A thread that serves a single connection to `url`. Owns the server's connection; a context manager.

    `fault` is what it has cut the connection for, and `location` where the server sends us on to.
    """

    def __init__(self, server: socket.socket, source: str, settings: Settings) -> None:
        parts = urlsplit(source)
        userinfo, _at, host = parts.netloc.rpartition("@")
        self._source = quote(parts._replace(netloc=host).geturl(), safe="!#$%&'()*+,/:;=?@[]~")
        self._login = Login(userinfo)
        self._server = server
        self._silent_s = settings.silent_s
        self._request = Message(())
        self._number = 0  # Of requests to the server: one is sent again when it asks for the password.
        self._is_again = self._is_answered = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(settings.connect_s)
        self.url = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.agent = secrets.token_hex()  # By its User-Agent we know FFmpeg from another program of this machine.
        self.fault: Fault | None = None
        self.location: str | None = None
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After FFmpeg's end of the connection was closed."""
        self._thread.join(PARTING_S)
        self._hang_up()
        self._thread.join()
        self._server.close()

    def _hang_up(self) -> None:
        """Wakes whoever waits on it. Not by the method of TLS sockets, which another thread may be using."""
        with suppress(OSError):
            socket.socket.shutdown(self._server, socket.SHUT_RDWR)

    def _run(self) -> None:
        with suppress(OSError):
            with self._listener:
                client, _peer = self._listener.accept()
            with client:
                try:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._forward(client)
                except Fault as fault:
                    self.fault = fault
        self._hang_up()

    def _forward(self, client: socket.socket) -> None:
        """Until either side ends its connection. Raises Fault and OSError."""
        server = self._server
        server.setblocking(False)  # What makes TLS readable need not be anything for us.
        from_client, from_server = Incoming(client), Incoming(server)
        poll = select.poll()
        poll.register(client, select.POLLIN)
        poll.register(server, select.POLLIN)
        while True:
            ready = {number for number, _event in poll.poll()}
            if server.fileno() in ready:
                self._take_answers(from_server, client)
                while isinstance(server, ssl.SSLSocket) and server.pending():
                    self._take_answers(from_server, client)
            if client.fileno() in ready:
                if not from_client.receive():
                    return
                for part in from_client.parts():
                    self._send(self._requested(part) if isinstance(part, Message) else part)

    def _take_answers(self, from_server: Incoming, client: socket.socket) -> None:
        if not from_server.receive():
            raise ConnectionResetError if self._is_answered else Fault("ended", "no answer")
        for part in from_server.parts():
            with suppress(OSError):  # FFmpeg has ended its connection: its last word is still to be read.
                client.sendall(self._answered(part) if isinstance(part, Message) else part)

    def _send(self, data: bytes | memoryview) -> None:
        self._server.settimeout(self._silent_s)
        self._server.sendall(data)
        self._server.setblocking(False)

    def _requested(self, message: Message) -> bytes:
        if message.status:  # To what the server has asked for.
            return message.pack()
        if message.get("User-Agent") != self.agent:
            raise PermissionError
        self._request = replace(message, uri=self._source) if message.uri == self.url else message
        self._is_again = self._is_answered = False
        return self._request_bytes()

    def _request_bytes(self) -> bytes:
        self._number += 1
        request = self._request
        login = self._login.fields(request.method, request.uri)
        return request.pack(("CSeq", str(self._number)), ("User-Agent", "Omil"), *login)

    def _answered(self, message: Message) -> bytes:
        """What FFmpeg gets to read of it."""
        if message.status // 100 == 3 or message.method == "REDIRECT":
            self.location = message.get("Location")
            raise Fault("ended", "sent elsewhere")
        if message.method:
            return message.pack()
        if message.status == 401 and not self._is_again and self._login.take(message.all("WWW-Authenticate")):
            self._is_again = True
            self._send(self._request_bytes())
            return b""
        self._is_answered = True
        fields = [("CSeq", self._request.get("CSeq"))]
        if self._request.method == "DESCRIBE":
            fields.append(("Content-Base", message.get("Content-Base") or self._request.uri))
        return message.pack(*fields, but=("Location", "WWW-Authenticate"))
