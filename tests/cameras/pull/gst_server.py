"""GStreamer's RTSP server, run by the system's own Python: `gst_server.py '{"port": …, "launch": …}'`.

Everybody who connects sees the same stream, in real time; with a user name and password, who knows these.
"""

import json
import sys
from typing import Any

import gi  # type: ignore[import-not-found]  # It is of the system's Python.

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

ROLE = "viewer"


def main(about: dict[str, Any]) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(about.get("address", "127.0.0.1"))
    server.set_service(str(about["port"]))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(about["launch"])
    factory.set_shared(True)
    if about.get("user"):
        secure(server, factory, about["user"], about["password"], about.get("auth", "digest"))
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    print("ready", flush=True)  # noqa: T201
    GLib.MainLoop().run()


def secure(server: Any, factory: Any, user: str, password: str, kind: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(getattr(GstRtsp.RTSPAuthMethod, kind.upper()))
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    if kind == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role(ROLE)
    for right in (
        GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
        GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
    ):
        permissions.add_permission_for_role(ROLE, right, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
