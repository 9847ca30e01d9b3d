"""Packed arrays come back to the bit, and damaged or hostile ones are refused."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lm_eval_sensitivity.records.packing import MAX_VALUES, pack, unpack


@given(hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_floats_come_back_to_the_bit(values: np.ndarray) -> None:
    assert unpack(pack(values, "<f4")).tobytes() == values.tobytes()


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=50))
def test_integers_come_back(values: list[int]) -> None:
    assert unpack(pack(values, "<i4")).tolist() == values


GOOD = pack([1.0, 2.0, 3.0], "<f4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "O"}, "dtype"),
        ({"dtype": ["<f4"]}, "dtype"),
        ({"n": -1}, "whole number"),
        ({"n": MAX_VALUES + 1}, "whole number"),
        ({"n": True}, "whole number"),
        ({"n": 2}, "do not match"),
        ({"n": 4}, "do not match"),
        ({"z": None}, "expected base64"),
        ({"z": "not base64!"}, "damaged"),
        ({"z": GOOD["z"][:-8]}, "damaged|do not match"),
        ({"z": base64.b64encode(b"plain").decode()}, "damaged"),
    ],
)
def test_a_damaged_array_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unpack({**GOOD, **change})


def test_a_zip_bomb_is_not_inflated() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()
    with pytest.raises(ValueError, match="do not match"):
        unpack({"dtype": "<f4", "n": 2, "z": bomb})


def test_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an object"):
        unpack([1, 2])
