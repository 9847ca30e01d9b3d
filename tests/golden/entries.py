"""All that the corpus knows of the package: whoever renames one of these changes one line."""

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.space.downloads import documents, make_download
from lm_eval_sensitivity.space.page import render
from lm_eval_sensitivity.space.query import parse

__all__ = [
    "__version__",
    "demo_model_path",
    "documents",
    "main",
    "make_download",
    "open_results",
    "parse",
    "render",
]
