"""Stands where a child of a panel looks for lm_eval: it answers without a model, and fails as it is told to.

It copies a recorded run to `--output_path`, after it did what `STAND_IN` says: `FAULT`, or `FAULT@N` on attempt N only.
Its answers go through the real response store, so that tests can count them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.store import SUFFIX, ResponseStore

N_ANSWERS = 6


def option(name: str) -> str:
    return sys.argv[sys.argv.index(f"--{name}") + 1]


def answer(store: ResponseStore, n: int) -> None:
    for number in range(N_ANSWERS)[:n]:
        if store.get(f"key{number}") is None:
            store.append([(f"key{number}", {"text": f"answer {number}"})])


def save(folder: Path, fault: str) -> None:
    target = folder / "model"
    shutil.copytree(os.environ["STAND_IN_RUN"], target)
    (results,) = target.glob("results_*.json")
    samples = sorted(target.glob("samples_*.jsonl"))
    if fault == "no results":
        shutil.rmtree(target)
    elif fault == "cut results":
        results.write_bytes(results.read_bytes()[:-100])
    elif fault == "no samples":
        samples[0].unlink()
    elif fault == "cut samples":
        samples[0].write_bytes(samples[0].read_bytes()[:-100])
    elif fault == "rows of one filter":
        lines = samples[0].read_text(encoding="utf-8").splitlines(keepends=True)
        samples[0].write_text("".join(lines[:-1]), encoding="utf-8")


def main() -> None:
    folder = Path(option("output_path"))
    fault, _, attempt = os.environ.get("STAND_IN", "").partition("@")
    if attempt and folder.name != f"attempt-{attempt}":
        fault = ""
    store = ResponseStore(Path(option("use_cache") + SUFFIX))
    answer(store, 2)
    if fault == "mistake":
        raise InputError("`--metadata`: `lader` is not an option.")
    if fault == "error":
        raise OSError("no such model")
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hangs":
        (folder / "pid").write_text(str(os.getpid()))
        time.sleep(600)
    answer(store, N_ANSWERS)
    save(folder, fault)


if __name__ == "__main__":
    main()
