"""A metric of the library `evaluate` as a page: its own widget does not start on Gradio 6."""

from __future__ import annotations

from typing import Any

import gradio as gr


def metric_page(metric: Any) -> gr.Interface:
    """Two boxes, of which each line is measured against the same line of the other.

    Args:
        metric: loaded by `evaluate`, of outputs and of what they are compared with.

    Returns:
        The page, not started.
    """

    def measure(outputs: str, others: str) -> dict[str, Any]:
        found: dict[str, Any] = metric.compute(
            predictions=outputs.splitlines(), references=others.splitlines()
        )
        return found

    return gr.Interface(
        measure,
        [
            gr.Textbox(lines=5, label="Outputs, one a line"),
            gr.Textbox(lines=5, label="What they are compared with"),
        ],
        gr.JSON(label="Found"),
        title=metric.name,
        description=metric.description,
        analytics_enabled=False,
        flagging_mode="never",
    )
