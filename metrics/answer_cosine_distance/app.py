"""The metric as a page: evaluate's own Space widget does not start on a current Gradio."""

from pathlib import Path

import evaluate
import gradio

NAME = "answer_cosine_distance"
metric = evaluate.load(str(Path(__file__).with_name(f"{NAME}.py")))


def measure(outputs: str, others: str) -> dict:
    """Each line of one box against the same line of the other."""
    return metric.compute(predictions=outputs.splitlines(), references=others.splitlines())


page = gradio.Interface(
    measure,
    [
        gradio.Textbox(lines=5, label="Outputs, one a line"),
        gradio.Textbox(lines=5, label="What they are compared with"),
    ],
    gradio.JSON(label="Found"),
    title=NAME,
    description=metric.description,
    analytics_enabled=False,
    flagging_mode="never",
)

if __name__ == "__main__":
    page.launch()
