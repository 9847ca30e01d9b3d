"""Inputs as people bring them: each gives exactly the ladder that it says, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.authoring.checks import check_ladder

ASK = "Explain how tides work, please."
RIVER = "Name a river."
PLAIN = [ASK, RIVER]
BIDI = "Say \u2067\u05e9\u05dc\u05d5\u05dd\u2069 and na\u00efve, 👩\u200d🔬, a\u00a0b, x\u200by"
OLD_MAC = f"{ASK}\r{RIVER}\r"
PAIR = "base,variant,rung,edit\n"


def table(separator: str) -> str:
    quote = '"' if separator == "," else ""
    return f"prompt{separator}id\n{quote}{ASK}{quote}{separator}t1\n{RIVER}{separator}t2\n"


def lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


READ: dict[str, tuple[str, bytes, list[str]]] = {
    "UTF-8 with a mark, quoted header": ("a.csv", b'\xef\xbb\xbf"prompt"\nName a river.\n', [RIVER]),
    "UTF-16 with a mark": ("a.txt", f"{ASK}\n{RIVER}\n".encode("utf-16"), PLAIN),
    "UTF-32 with a mark": ("a.csv", table(";").encode("utf-32"), PLAIN),
    "semicolons, and commas in the text": ("a.csv", table(";").encode(), PLAIN),
    "semicolons alone": ("a.csv", b"prompt;id\nExplain tides.;t1\nName a river.;t2\n", ["Explain tides.", RIVER]),
    "tabs": ("a.csv", table("\t").encode(), PLAIN),
    "tabs under their own name": ("a.tsv", table("\t").encode(), PLAIN),
    "vertical bars": ("a.csv", table("|").encode(), PLAIN),
    "the separator that Excel declares": ("a.csv", ("sep=;\r\n" + table(";")).encode(), PLAIN),
    "commas, and semicolons in the text": ("a.csv", b"prompt,note\nCount; then stop.,x;y\n", ["Count; then stop."]),
    "a header with a semicolon in another name": ("a.csv", b"prompt,a;b\nWhy?,1\n", ["Why?"]),
    "quotes and a line break in a cell": ("a.csv", b'prompt\n"Say ""hi""\nand stop."\n', ['Say "hi"\nand stop.']),
    "CRLF": ("a.csv", table(",").replace("\n", "\r\n").encode(), PLAIN),
    "CR alone": ("a.txt", OLD_MAC.encode(), PLAIN),
    "CR alone inside quotes": ("a.csv", b'prompt\n"one\rtwo"\n', ["one\rtwo"]),
    "empty columns and rows of a spreadsheet": ("a.csv", b"prompt,id,,\nWhy?,1,,\n,,,\nHow?,2,,\n", ["Why?", "How?"]),
    "names with spaces around": ("a.csv", b"id , prompt\n1,Why?\n", ["Why?"]),
    "directions, joiners, invisible spaces": ("a.jsonl", lines({"prompt": BIDI}), [BIDI]),
    "numbers as ids, and none": ("a.jsonl", lines({"prompt": "Why?", "id": 7}, {"prompt": "How?", "id": None}),
                                 ["Why?", "How?"]),
    "NaN of pandas": ("a.jsonl", b'{"prompt": "Why?", "id": NaN, "synonym_1": NaN}\n', ["Why?"]),
    "form feeds and line separators": ("a.txt", "one\ftwo\u2028three\n".encode(), ["one\ftwo\u2028three"]),
    "names of edits with slashes": ("a.csv", (PAIR + "Why now?,Why then?,synonym,a/b/c\n").encode(), ["Why now?"]),
}  # fmt: skip
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "a NUL": ("a.txt", b"Name a river.\0 Then stop.\nWhy?\n", "U+0000 at character 13"),
    "UTF-16 without a mark": ("a.txt", f"{ASK}\n".encode("utf-16-le"), "UTF-16 (little-endian) without a byte order"),
    "the other UTF-16": ("a.jsonl", lines({"prompt": ASK}).decode().encode("utf-16-be"), "UTF-16 (big-endian)"),
    "half a UTF-16 character": ("a.txt", b"\xff\xfeW\0h", "not valid UTF-16"),
    "a letter with the byte of a line end": ("a.txt", "\ufeffਅ".encode("utf-16-le") + b"h", "UTF-16 at line 1 "),
    "Latin-1": ("a.txt", "Why?\nCafé au lait\n".encode("latin-1"), "line 2 (byte 8); as Windows-1252 it reads 'Café'"),
    "Windows-1252": ("a.csv", "prompt\nSay “hi”\n".encode("cp1252"), "as Windows-1252 it reads '“hi'"),
    "Shift-JIS": ("a.txt", "川の名前を挙げてください。".encode("shift_jis"), "a script that is not Latin"),
    "KOI8-R": ("a.txt", "Назови реку.".encode("koi8-r"), "a script that is not Latin"),
    "Windows-1252 read as Latin-1": ("a.txt", "Say \x93hi\x94".encode(), "U+0093"),
    "an escape sequence": ("a.jsonl", lines({"prompt": "\x1b[31mred"}), "U+001B at character 0"),
    "two files in one": ("a.txt", "Why?\n\ufeffHow?\n".encode(), "U+FEFF at character 0"),
    "CR alone beside other ends": ("a.txt", b"one\rtwo\nthree\n", "line 1: a carriage return stands there alone"),
    "CR alone in an open cell": ("a.csv", b"prompt\none\rtwo\n", "line 2: a carriage return stands there alone"),
    "an open quote": ("a.csv", b'prompt\n"Why?\n', "no readable CSV"),
    "an unquoted comma": ("a.csv", b"prompt,id\nWhy, and how?,1\n", "another number of cells than the header's 2"),
    "a quotation mark declared as separator": ("a.csv", b'sep="\nprompt"id\nWhy?"1\n', "`sep=\"`"),
    "a name twice": ("a.csv", b"prompt, prompt\na,b\n", "stands there twice"),
    "an empty cell": ("a.csv", b"prompt,id\n,1\n", "`prompt` is ''"),
    "only invisible characters": ("a.jsonl", lines({"prompt": "\u200b\u2060"}), "not blank"),
    "a very long cell": ("a.jsonl", lines({"prompt": "x" * 100_001}), "100001 characters"),
    "a list as id": ("a.jsonl", lines({"prompt": "Why?", "id": [1]}), "`id` is of type list"),
    "a number as prompt": ("a.jsonl", lines({"prompt": 7}), "`prompt` is '7' of type int"),
    "a rung that there is not": ("a.csv", (PAIR + "Why?,How?,paraphrse,a\n").encode(), "Did you mean 'paraphrase'"),
    "no field of a prompt": ("a.csv", b"question;id\nWhy?;1\n", "It has `question`, `id`"),
    "a control character in a variant": ("a.yaml", b'ladder_version: "1"\nprompts: [{id: a, base: Why, variants: '
                                         b'{synonym_1: {text: "H\\0w", reason: x}}}]', "`synonym_1` has the control"),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_it_is_read_as_it_was_meant(kind: str, tmp_path: Path) -> None:
    name, content, bases = READ[kind]
    (tmp_path / name).write_bytes(content)
    assert cli.main(["ladder", "build", str(tmp_path / name), "-o", str(tmp_path / "x")]) == 0
    assert list(load_ladder(tmp_path / "x").prompts.values()) == bases


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_in_one_sentence(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, content, message = REFUSED[kind]
    (tmp_path / name).write_bytes(content)
    assert cli.main(["ladder", "build", str(tmp_path / name), "-o", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_header_that_was_read_with_another_separator_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"prompt;id\nExplain tides.;t1\n")
    arguments = [
        "ladder",
        "build",
        str(tmp_path / "a.csv"),
        "-o",
        str(tmp_path / "x"),
        "--prompt-field",
        "prompt;id",
    ]
    assert cli.main(arguments) == 2


def test_check_finds_the_control_characters_that_build_refuses(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        'ladder_version: "1"\nprompts: [{id: a, base: "Name a river.\\0 Then stop."}]', encoding="utf-8"
    )
    (found,) = check_ladder(tmp_path / "a.yaml").violations
    assert (found.check, found.row, found.column) == ("control_characters", "a/identical", "base")


def test_a_lost_character_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("Is the caf\ufffd open?\n", encoding="utf-8")
    assert cli.main(["ladder", "build", str(tmp_path / "a.txt"), "-o", str(tmp_path / "x")]) == 0
    assert "Prompts with U+FFFD" in capsys.readouterr().out
