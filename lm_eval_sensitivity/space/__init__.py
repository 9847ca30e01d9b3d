"""The explorer of exported results: one page as a pure function of results and address.

Only `space.app` imports gradio, so everything else can be used and tested without it.
"""

from __future__ import annotations

from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View

__all__ = ["Query", "View"]
