"""Where the embedded demo model lies. Imports nothing heavy: the CLI asks for the path before torch."""

from __future__ import annotations

from pathlib import Path


def demo_model_path() -> Path:
    """The folder of the embedded demo model, ready for `from_pretrained` and for `lm_eval --model_args`.

    The folder ships with the package, so nothing is downloaded and no network is needed.

    Returns:
        An absolute path.

    Example:
        >>> sorted(file.name for file in demo_model_path().glob("*.safetensors"))
        ['model.safetensors']
    """
    return Path(__file__).resolve().parent / "model"
