"""The page's server as a process of its own, as a user starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 120
"""Until a server is given up: importing gradio takes many seconds on a busy machine."""
COMMAND = Path(sys.executable).with_name("lm-eval-sensitivity")
ANY_FOLDER = (
    "import sys, pathlib; from lm_eval_sensitivity.space.app import serve; "
    "serve(pathlib.Path(sys.argv[1]), port=int(sys.argv[2]))"
)
"""Serves what the command refuses on the terminal, as a Space does: with a message on the page."""


@contextmanager
def serving(folder: Path, log: Path, *, refused_by_the_command: bool = False) -> Iterator[str]:
    """Serve a results folder; gives the server's address, and stops the server at the end.

    Args:
        folder: of `export`.
        log: file for what the server prints.
        refused_by_the_command: the folder holds no results, and the page is to say so.
    """
    line = [str(COMMAND), "space", str(folder), "--no-browser", "--port"]
    if refused_by_the_command:
        line = [sys.executable, "-c", ANY_FOLDER, str(folder)]
    with serving_line(line, log) as address:
        yield address


@contextmanager
def serving_line(line: Sequence[str], log: Path) -> Iterator[str]:
    """Start a server; gives its address, and stops it at the end.

    Args:
        line: that starts it, without its last word, the port.
        log: file for what the server prints.
    """
    port = _free_port()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen([*line, str(port)], stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own server
                answer.read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
