"""Many systems on many tasks: each a fresh lm_eval, read back before it counts, and the same call goes on.

plan.py          systems, tasks, units, folders        panel_file.py  panel.yaml
command_line.py  options in words of lm_eval       check_options.py  held against lm_eval's own parser
child.py         lm_eval in a process that dies with its parent
attempt.py       one attempt of a unit                 read_back.py   is everything there?
local.py         children of this process              ray_cluster.py  tasks of a Ray cluster
run.py           what is run next, and what became of it
estimate.py      what it will take; document.py: as a table; example.py: a file to begin with
display.py       bars, while it runs

    output/runs/SYSTEM/SHARD                 a run that was read back, with done.json: a RUN of every other command
    output/attempts/SYSTEM/SHARD/attempt-N   one that was not, with lm_eval's words
    output/responses/SYSTEM-*                the system's answers, `--use_cache` of all its attempts
    output/report, output/results            what is made at the end

Nothing is imported here: each run begins with `child.py`, which must not wait for the rest.
"""
