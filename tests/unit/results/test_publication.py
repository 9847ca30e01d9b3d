"""What is published of a results folder, and what keeps a folder from being published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.files_to_publish import prepare_results
from lm_eval_sensitivity.results.manifest import FILES_OF_RESULTS
from lm_eval_sensitivity.results.output_folder import is_file_of_results
from tests.unit.hub.stand_in import StandInHub
from tests.unit.results.made_results import declare


def test_published_is_the_card_and_every_file_of_the_folder(exported: Path) -> None:
    files = prepare_results(exported, "me/results")
    in_folder = {each.relative_to(exported).as_posix() for each in exported.rglob("*") if each.is_file()}
    assert set(files) == {"README.md", *in_folder}
    assert all(files[name] == exported.absolute() / name for name in in_folder)


def test_what_is_fetched_published_and_replaced_are_the_same_names(exported: Path) -> None:
    assert set(prepare_results(exported, "me/results")) - {"README.md"} <= set(FILES_OF_RESULTS)
    assert all(map(is_file_of_results, FILES_OF_RESULTS)) and "answers/063.parquet" in FILES_OF_RESULTS
    near = ["README.md", "x/manifest.json", "pairs/00.parquet", "pairs/000.parquet\n", "pairs/x/000.parquet"]
    assert not any(map(is_file_of_results, near))


def damage_and_declare(folder: Path) -> None:
    (folder / "pairs" / "000.parquet").write_bytes(b"PAR1 nothing PAR1")
    declare(folder, "pairs/000.parquet")


SPOILERS: tuple[tuple[Callable[[Path], object], str], ...] = (
    (damage_and_declare, "pairs/000.parquet"),
    (lambda folder: (folder / ".env").write_text("x"), "holds '.env', which is no file of these results"),
    (lambda folder: (folder / "pairs" / "009.parquet").write_bytes(b"x"), "holds 'pairs/009.parquet', which"),
    (lambda folder: (folder / "new").mkdir(), "holds 'new', which"),
    (lambda folder: (folder / "link").symlink_to("nowhere"), "holds 'link', which"),
    (lambda folder: (folder / "a\x1b[31m").write_text("x"), r"holds 'a\x1b[31m', which"),
)


@pytest.mark.parametrize(("spoil", "message"), SPOILERS, ids=range(len(SPOILERS)))
def test_a_folder_that_is_not_in_order_never_reaches_the_hub(
    spoil: Callable[[Path], object],
    message: str,
    copied: Path,
    hub: StandInHub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(copied)
    for options in ([], ["--dry-run"]):
        assert main(["publish", str(copied), "me/results", *options]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1 and "\x1b" not in error
    assert hub.calls == []


@pytest.mark.parametrize("license_id", ["", "Apache License", "mit\nx: y", "a" * 41, "-mit", "[mit]"])
def test_a_licence_that_is_no_id_is_refused(license_id: str, exported: Path) -> None:
    with pytest.raises(InputError, match=r"`--license` is .* Correct the id\."):
        prepare_results(exported, "me/results", license_id=license_id)
