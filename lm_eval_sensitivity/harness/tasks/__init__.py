"""The lm_eval tasks, and the doors that are opened before the first token: options, decoding, output folder."""
