"""The demonstration model behind a real server, `transformers serve`, against the same model in this process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lm_eval_sensitivity.runs import load_runs
from tests.harness.conftest import Lmeval
from tests.running import command

pytestmark = pytest.mark.slow

SETTINGS = {"tasks": "prompt_sensitivity_mini_noop", "gen_kwargs": "max_gen_toks=24", "limit": 30}


@pytest.fixture(scope="module")
def address(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("fastapi", reason="`transformers serve` needs it, which comes with the extra `space`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [
        *(str(Path(sys.executable).with_name("transformers")), "serve", str(demo)),
        *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"),
    ]
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as out, subprocess.Popen(line, stdout=out, stderr=out, env=os.environ) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_texts_and_audit_are_those_of_the_model_in_this_process(
    address: str, demo: Path, lm_eval: Lmeval, run_once: Lmeval, capsys: pytest.CaptureFixture[str]
) -> None:
    own = run_once(demo, **SETTINGS)
    served = lm_eval(
        demo,
        model="local-chat-completions",
        model_args=f"model={demo},base_url={address}/chat/completions,tokenizer={demo},tokenizer_backend=huggingface",
        **SETTINGS,
    )
    task = SETTINGS["tasks"]
    for mine, theirs in zip(own.rows(task), served.rows(task), strict=True):
        assert [each[0].strip() for each in mine["resps"]] == [each[0].strip() for each in theirs["resps"]]
        assert mine["pair"]["audit"]["status"] == theirs["pair"]["audit"]["status"]
        assert theirs["pair"]["missing"]["js_divergence"].startswith(("not given", "erased"))
    notes = served.results["configs"][task]["metadata"]["sensitivity"]["notes"]
    assert notes["token_ids"] == "local"  # noqa: S105
    assert "a local tokenizer, which counts as many as the server" in notes["server"]
    assert load_runs(served.folder).systems[0].identity["engine"] == "LocalChatCompletion"
    # What was generated there is looked into here.
    line = ("probe", "stretch", served.folder, "--model_args", f"pretrained={demo}", "--device", "cpu")
    assert command(*line) == 0
    printed = capsys.readouterr()
    assert "shows no weights" in printed.out + printed.err
