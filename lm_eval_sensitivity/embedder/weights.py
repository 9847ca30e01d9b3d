"""What is checked about a model folder before anything in it is loaded, and its hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_BLOCK_BYTES = 1 << 20


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits.

    Args:
        path: of any size; it is read in pieces.

    Returns:
        64 lower-case digits.

    Example:
        >>> import os
        >>> file_sha256(Path(os.devnull))[:12]
        'e3b0c44298fc'
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def check_folder(folder: Path, *, name: str) -> None:
    """Accept a folder only if loading it runs no code and unpickles nothing that came with it.

    Args:
        folder: a sentence-transformers model.
        name: what to call it in a message.

    Raises:
        InputError: it is no such model, names classes of its own, or has weights that are not safetensors.
    """
    for module in _modules(folder, name):
        # Some versions of the library import such a class from the folder without asking.
        if not str(module.get("type", "")).startswith("sentence_transformers."):
            raise InputError(
                f"The embedder {name!r} needs the class {module.get('type')!r}, code that is not part of "
                "sentence-transformers. Such code is never run. Choose a model without code of its own."
            )
    for module_folder in _module_folders(folder, name):
        pickled = sorted(path.name for pattern in _PICKLED for path in module_folder.glob(pattern))
        if pickled and not any(module_folder.glob("*.safetensors")):
            raise InputError(
                f"The embedder {name!r} has its weights in {pickled[0]!r}, a pickle, which can run any code "
                "when it is read. Accepted: safetensors. Choose a model or a revision that has them."
            )
    if not _weight_files(folder, name):
        raise InputError(
            f"The embedder {name!r} has no `*.safetensors` file. It may be incomplete: download it again."
        )


def weights_sha256(folder: Path, *, name: str) -> str:
    """Hash of everything that was learned.

    Formula: SHA-256 of the one safetensors file; where modules or shards have several, SHA-256 of the lines
        `<relative path> <sha256>`, sorted by path.

    Args:
        folder: a folder that `check_folder` accepts.
        name: what to call it in a message.

    Returns:
        64 lower-case hexadecimal digits.
    """
    files = _weight_files(folder, name)
    if len(files) == 1:
        return file_sha256(files[0])
    lines = [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _weight_files(folder: Path, name: str) -> list[Path]:
    """Of the modules only: exports for other runtimes lie beside them and are not loaded."""
    return sorted({path for module in _module_folders(folder, name) for path in module.glob("*.safetensors")})


def _module_folders(folder: Path, name: str) -> list[Path]:
    return [folder / str(module.get("path", "")) for module in _modules(folder, name)]


def _modules(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / "modules.json"
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"The embedder {name!r} is no sentence-transformers model: it has no `modules.json`. "
            "Give a model id such as 'sentence-transformers/all-MiniLM-L6-v2', or such a model's folder."
        ) from None
    except (ValueError, OSError) as error:
        raise InputError(
            f"The embedder {name!r} has a `modules.json` that cannot be read: {error}."
        ) from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise InputError(f"The embedder {name!r} has a `modules.json` that is not a list of modules.")
    return modules
