"""The embedded demo model: a tiny chat model that ships with the package, and the script that trains it.

`demo_model_path()` is light and safe to call anywhere; `demo.train` needs torch and transformers.
"""

from lm_eval_sensitivity.demo.location import demo_model_path

__all__ = ["demo_model_path"]
