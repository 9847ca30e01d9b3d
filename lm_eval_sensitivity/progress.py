"""Bars for whoever waits at a terminal: each with a label, from the start, and gone at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress(label: str, total: int, unit: str = "step", **options: Any) -> tqdm[Any]:
    """A bar on stderr, quiet where that is no terminal.

    It stands there before the first step: what comes first is often the import of a large library.

    Args:
        label: what is done, as in `Reading samples`.
        total: steps in all.
        unit: what a step is.
        **options: of tqdm.

    Returns:
        The bar, to be used in `with`; `update(n)` counts.

    Example:
        >>> with progress("Reading samples", 3) as steps:
        ...     _ = steps.update()
    """
    from tqdm import tqdm

    return tqdm(total=total, desc=label, unit=unit, leave=False, disable=None, file=sys.stderr, **options)
