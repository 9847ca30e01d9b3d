"""The hash that names a system: equal fingerprints mean equal identities, whatever the name says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def fingerprint(identity: Mapping[str, object]) -> str:
    """A short name of an identity that does not depend on the order of its parts.

    Returns:
        The first sixteen hex digits of the SHA-256 of its canonical JSON.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    canonical = json.dumps(dict(identity), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
