"""The metric as a page."""

from pathlib import Path

import evaluate

from lm_eval_sensitivity.space.metric_page import metric_page

page = metric_page(evaluate.load(str(Path(__file__).with_name("prompt_sensitivity_drift.py"))))

if __name__ == "__main__":
    page.launch()
