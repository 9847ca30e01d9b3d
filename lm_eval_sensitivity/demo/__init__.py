"""The embedded demo model: a tiny chat model that ships with the package, and the script that trains it.

    card.py       The demo model's card, written from the numbers of its training
    corpus.py     The demo model's training text: topics, each with several ways to ask and several answers
    examples.py   From exchanges to batches: formats, token ids and padding
    location.py   Where the embedded demo model lies
    tokenizer.py  The demo model's own tokenizer: byte-level BPE, no normalizer, five special tokens
    train.py      Train the embedded demo model: `python -m lm_eval_sensitivity.demo.train --output DIR`

`demo_model_path()` is light and safe to call anywhere; `demo.train` needs torch and transformers.
"""

from lm_eval_sensitivity.demo.location import demo_model_path

__all__ = ["demo_model_path"]
