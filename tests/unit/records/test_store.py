"""The response store survives crashes, keeps systems apart and says what it repaired."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.generate.generation import CHANNEL_OF, CHANNELS, Output, Trace
from lm_eval_sensitivity.harness.generate.trace_records import output_from_record, output_to_record
from lm_eval_sensitivity.records.store import OutputCount, ResponseStore, record_key


def only_segment(folder: Path) -> Path:
    (segment,) = folder.glob("*.log")
    return segment


def filled(folder: Path, n_records: int = 3) -> None:
    store = ResponseStore(folder)
    store.append([(f"key{i}", {"text": f"answer {i} \n\u2028 é"}) for i in range(n_records)])
    store.close()


def test_records_come_back_in_another_process_or_rank(tmp_path: Path) -> None:
    filled(tmp_path)
    second = ResponseStore(tmp_path)
    second.append([("another rank", {"text": "x"})])
    second.close()
    third = ResponseStore(tmp_path)
    assert len(third) == 4
    assert third.get("key1") == {"text": "answer 1 \n\u2028 é"}
    assert third.get("unknown") is None
    assert third.n_repaired == 0


@pytest.mark.parametrize("n_bytes_lost", [1, 5, 30])
def test_a_torn_last_record_is_repaired_and_reported(
    tmp_path: Path, n_bytes_lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path)
    segment = only_segment(tmp_path)
    segment.write_bytes(segment.read_bytes()[:-n_bytes_lost])
    with caplog.at_level(logging.WARNING, logger="lm_eval_sensitivity"):
        store = ResponseStore(tmp_path)
    assert store.n_repaired == 1
    assert "1 record(s) were cut off or damaged" in caplog.text
    assert len(store) == 2
    assert store.get("key2") is None
    # Repaired on disk: the next reader finds nothing to report.
    assert ResponseStore(tmp_path).n_repaired == 0


def test_a_flipped_byte_in_the_middle_costs_one_record(tmp_path: Path) -> None:
    filled(tmp_path)
    segment = only_segment(tmp_path)
    raw = bytearray(segment.read_bytes())
    raw[raw.index(b"answer 1")] ^= 1
    segment.write_bytes(bytes(raw))
    store = ResponseStore(tmp_path)
    assert store.n_repaired == 1
    assert store.get("key1") is None
    assert store.get("key2") is not None


def test_a_file_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    writer = ResponseStore(tmp_path)
    writer.append([("key", {"text": "whole"})])
    segment = only_segment(tmp_path)
    with segment.open("ab") as file:
        file.write(b"0000 half a rec")
    reader = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; "
            "from lm_eval_sensitivity.records.store import ResponseStore; "
            "s = ResponseStore(Path(sys.argv[1])); print(len(s), s.n_repaired)",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert reader.stdout.split() == ["1", "1"]
    assert segment.read_bytes().endswith(b"half a rec")
    writer.close()


def test_garbage_is_not_executed_or_trusted(tmp_path: Path) -> None:
    (tmp_path / "stranger.log").write_bytes(b"\x80\x04cos\nsystem\n(S'echo'\ntR.\n" + b"[]\n" * 3)
    store = ResponseStore(tmp_path)
    assert len(store) == 0
    assert store.n_repaired > 0


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="--use_cache"):
        ResponseStore(tmp_path / "file" / "store")


IDS, NUMBERS = np.array([5, 6], np.int32), np.array([0.1, np.inf], np.float32)
BARE = Trace(IDS, "length", "visible")
ALL: dict[str, Any] = {**dict.fromkeys(CHANNEL_OF, NUMBERS), "prompt_end_top_ids": IDS}
OUTPUTS = {
    "text": Output("text"),
    "ids": Output("text", BARE),
    "some channels": Output("text", replace(BARE, margins=NUMBERS, prompt_end_top_ids=IDS)),
    "all channels": Output("text", replace(BARE, prompt_token_ids=IDS, **ALL)),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_come_back_with_the_channels_they_had(name: str) -> None:
    output = OUTPUTS[name]
    assert repr(output_from_record(output_to_record(output, with_distribution=True))) == repr(output)
    without = output_from_record(output_to_record(output, with_distribution=False))
    assert repr(without) == repr(output.only(CHANNELS - {"prompt-end distribution"}))
    assert output.only(()) == OUTPUTS["text"]


def test_keys_tell_everything_apart() -> None:
    keys = {
        record_key("system", "16", [1, 2], 0),
        record_key("system", "16", [1, 2], 1),
        record_key("system", "16", [1, 3], 0),
        record_key("system", "8", [1, 2], 0),
        record_key("other", "16", [1, 2], 0),
    }
    assert len(keys) == 5


def test_outputs_are_counted_while_they_are_written(tmp_path: Path) -> None:
    count = OutputCount(tmp_path)
    assert count.update() == 0
    store = ResponseStore(tmp_path)
    store.append(
        [("pair", {"js_divergence": 0.1, "words": 'a text, "text": '}), ("a", {"text": 'says "text": '})]
    )
    assert count.update() == 1
    whole = only_segment(tmp_path).read_bytes().replace(b'"a"', b'"b"')
    (tmp_path / "second.log").write_bytes(whole[:-5])
    assert count.update() == 1, "one is being written"
    (tmp_path / "second.log").write_bytes(whole)
    store.append([("b", {"text": ""}), ("c", {"text": ""})])
    store.close()
    assert count.update() == 3, "an output that two files hold is one"
