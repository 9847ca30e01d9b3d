"""What mkdocstrings has to know of this package's docstrings: `Example:` is the section that it calls `Examples:`."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Examples become code that is highlighted."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for everything that has a docstring.

        Args:
            obj: function, class or module.
        """
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
