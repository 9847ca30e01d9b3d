"""The lm_eval tasks, and the doors that are opened before the first token: options, decoding, output folder.

asked.py             What the user asked for beside the prompts, held against what is fed
chat_template.py     How prompts are wrapped before the model reads them, and what a template, a program, leaves out
evaluator.py         What the evaluator that is running a task knows, and the task is not told
filters.py           The filters `raw` and `answer`: the same outputs, whole or without their scaffold
lacking_rungs.py     A rung that the ladder lacks: its task of a group is left out, and that is said once
ladder_task.py       One rung of the ladder as a task of lm_eval's: it asks what both prompts of each pair are answered
measured_system.py   The system that a task measures: its fingerprint, its name, and what the results file says of it
options.py           What a user may give a run with `--metadata`: another ladder, a reference run
output_folder.py     Find out before the first token, not after the last, that results cannot be written
probing.py           Probes in a run: what the model shows while it is still loaded
several_processes.py  A run of several processes, whose parts the first one brings together
sampling_options.py  What `--metadata` may say to the sampling tasks beside what it says to all
table.py            Which of a task's numbers stand in lm_eval's table: one with its standard error, or all
sampling_task.py     The lm_eval task of the sampling group: one rung, every document two clouds
task_pairs.py        The pairs of one task: measured as lm_eval hands them over, and kept as the run will be read
task.py              The lm_eval task: every pair of one rung measured, and what the whole run says
wrapper.py           The prompts of one task as they are wrapped: each with what stands in the way of scoring it
"""
