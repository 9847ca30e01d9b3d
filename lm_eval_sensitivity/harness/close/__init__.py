"""When a run is over: rows for lm_eval's table, and sentences after it.

finished_run.py  A finished run in numbers: its noise floor, its windows, its verdict
last_screen.py   The last thing that a run prints: its summary, below lm_eval's table
run_log.py       The tasks of the run that is going on: lm_eval tells a task nothing about the others
sampled_rows.py  The words about sampled pairs: in lm_eval's table, and after a run
table_rows.py    Aggregations for lm_eval's table: means over what was scored, and words
table_errors.py  Standard errors over prompts, of a rung and of a group
"""
