"""The entry of the web process: pages by Django, sockets in raw ASGI (which check origin and session themselves)."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omil.settings")
pages = get_asgi_application()

from omil.routing import websocket_urlpatterns  # noqa: E402 (needs the applications that the line above loads)

sockets = URLRouter(websocket_urlpatterns)


async def websocket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    try:
        await sockets(scope, receive, send)
    except ValueError as error:
        if "No route found" not in str(error):
            raise
        await receive()
        await send({"type": "websocket.close", "code": 4404})


application = ProtocolTypeRouter({"http": pages, "websocket": websocket})
