"""Engines: what turns a plan of prompts into outputs.

`contract` what an engine is, `registry` which one serves which model, `run` what all of them share, `text` every model
that has no engine of its own, `huggingface` the one that shows its inside (its parts are in `hf/`).
"""
