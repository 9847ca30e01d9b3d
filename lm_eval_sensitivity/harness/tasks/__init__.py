"""The lm_eval tasks, and the doors that are opened before the first token: options, decoding, output folder.

chat_template.py     How prompts are wrapped before the model reads them
filters.py           The filters `raw` and `answer`: the same outputs, whole or without their scaffold
options.py           What a user may give a run with `--metadata`: another ladder, a reference run
output_folder.py     Find out before the first token, not after the last, that results cannot be written
sampling_options.py  What `--metadata` may say to the sampling tasks beside what it says to all
sampling_task.py     The lm_eval task of the sampling group: one rung, every document two clouds
task.py              The lm_eval task: one rung of the ladder, every document one pair
"""
