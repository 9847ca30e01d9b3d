"""The Hub of `stand_in.py` behind HTTP on the loopback interface, and the real client pointed at it."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http, disable_progress_bars, enable_progress_bars

from tests.unit.hub.stand_in import TOKEN, Answer, BrokenConnectionError, Request, StandInHub

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def serving(hub: StandInHub, port: int = 0) -> Iterator[StandInHub]:
    """The server, at the Hub's `url` while the block runs. `localhost` is another host to a client."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            assert "Transfer-Encoding" not in self.headers, "storage takes no file of unknown size"
            now = length // 2 if self.command == "PUT" else length
            request = Request(self.command, self.path, self.headers, self.rfile.read(now))
            request.rest = lambda: self.rfile.read(length - now)
            try:
                self._reply(hub.answer(request))
            except BrokenConnectionError:
                self._break()

        do_GET = do_HEAD = do_POST = do_PUT = _do

        def _reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            # No line is kept open, so that the client, which is that of the whole process, has none to close.
            always = {"Content-Length": str(len(answer.body)), "Connection": "close"}
            for name, value in {**always, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(answer.body[: answer.stop_after])

        def _break(self) -> None:
            self.close_connection = True
            # Without a farewell, as a cable does that is pulled.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            _, error, _ = sys.exc_info()
            if not isinstance(error, ConnectionError):
                hub.mistakes.append(error)

    with Server((LOOPBACK, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        hub.url, hub.storage = (f"http://{host}:{server.server_port}" for host in (LOOPBACK, "localhost"))
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
            assert not hub.mistakes, hub.mistakes


def environment(hub: StandInHub, home: Path, token: str | None = TOKEN) -> dict[str, str]:
    """What points a client in another process at a Hub. The protocol of xet, which no stand-in speaks, is off."""
    found = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    return found if token is None else {**found, "HF_TOKEN": token}


def point_client_at(hub: StandInHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of this process, which read its environment when it was imported."""
    for name, value in _constants(hub, home).items():
        monkeypatch.setattr(constants, name, value)
    # It waits before it asks again.
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def _constants(hub: StandInHub, home: Path) -> Mapping[str, Any]:
    return {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_ASSETS_CACHE": str(home / "assets"),
        "HF_TOKEN_PATH": str(home / "token"),
    }


@contextlib.contextmanager
def hub_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """An empty Hub, and the client of this process pointed at it."""
    with serving(StandInHub()) as hub:
        point_client_at(hub, home, monkeypatch)
        disable_progress_bars()
        try:
            yield hub
        finally:
            enable_progress_bars()
