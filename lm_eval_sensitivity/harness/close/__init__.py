"""When a run is over: rows for lm_eval's table, and sentences after it."""
