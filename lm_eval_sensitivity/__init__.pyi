from lm_eval_sensitivity.notebook import clusters as clusters
from lm_eval_sensitivity.notebook import compare as compare
from lm_eval_sensitivity.notebook import drift as drift
from lm_eval_sensitivity.notebook import from_results as from_results
from lm_eval_sensitivity.notebook import load as load
from lm_eval_sensitivity.notebook import summary as summary

__version__: str
