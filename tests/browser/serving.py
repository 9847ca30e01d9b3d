"""The page's server as a process of its own, as a user starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120
"""Until a server is given up: importing gradio takes many seconds on a busy machine."""
COMMAND = Path(sys.executable).with_name("lm-eval-sensitivity")
ANY_FOLDERS = """
import sys, pathlib
from lm_eval_sensitivity.space.app import build, launch, open_or_explain
folders, ports = sys.argv[1::2], sys.argv[2::2]
apps = [build(open_or_explain(pathlib.Path(folder))) for folder in folders]
for app, port in zip(apps, ports, strict=True):
    launch(app, server_name="127.0.0.1", server_port=int(port), quiet=True, prevent_thread_lock=True)
apps[0].block_thread()
"""
"""Serves what the command refuses on the terminal, as a Space does: with a message on the page."""


@contextmanager
def serving(folder: Path, log: Path) -> Iterator[str]:
    """Serve a results folder; gives the server's address, and stops the server at the end.

    Args:
        folder: of `export`.
        log: file for what the server prints.
    """
    with serving_line([str(COMMAND), "space", str(folder), "--no-browser", "--port"], log) as address:
        yield address


@contextmanager
def serving_together(script: str, folders: Sequence[Path], log: Path) -> Iterator[list[str]]:
    """Serve several folders from one process; gives their addresses, and stops the process at the end.

    Args:
        script: such as `ANY_FOLDERS`.
        folders: of `export`, or of nothing.
        log: file for what the servers print.
    """
    ports = [_free_port() for _ in folders]
    pairs = [each for pair in zip(map(str, folders), map(str, ports), strict=True) for each in pair]
    with _running([sys.executable, "-c", script, *pairs], ports, log) as addresses:
        yield addresses


@contextmanager
def serving_line(line: Sequence[str], log: Path) -> Iterator[str]:
    """Start a server; gives its address, and stops it at the end.

    Args:
        line: that starts it, without its last word, the port.
        log: file for what the server prints.
    """
    port = _free_port()
    with _running([*line, str(port)], [port], log) as (address,):
        yield address


@contextmanager
def serving_space(python: Path, folder: Path, variables: Mapping[str, str], log: Path) -> Iterator[str]:
    """Start the files of a Space, as the Hub does; gives its address, and stops it at the end.

    Args:
        python: of the environment that its requirements are installed in.
        folder: its files.
        variables: of its settings, and what else is in its environment.
        log: file for what it prints.
    """
    port = _free_port()
    where = {**variables, "GRADIO_SERVER_PORT": str(port)}
    with _running([str(python), "app.py"], [port], log, cwd=folder, env=where) as (address,):
        yield address


@contextmanager
def _running(line: Sequence[str], ports: Sequence[int], log: Path, **place: Any) -> Iterator[list[str]]:
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen([*line], stdout=output, stderr=subprocess.STDOUT, **place)
        try:
            addresses = [f"http://127.0.0.1:{port}/" for port in ports]
            for address in addresses:
                _wait(address, process, log)
            yield addresses
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
