"""Commands: one module per subcommand, each with `add_parser(subparsers)` and `run(options)`.

analysis_options.py  Options and output that all commands over runs share
audit.py             which edits reach which tokenizers, without weights
clusters.py          which systems can be told apart, and which cannot
compare.py           two systems side by side, with the difference taken apart
demo_model.py        where the embedded demonstration model is
drift.py             two axes beside a reference, and a verdict for every system
export.py            everything that a page over finished runs shows, as one folder of tables
flips.py             what harmless edits do to the answers of wrapped tasks
heatmap.py           every edit beside every system, as numbers
ladder.py            check, build, describe and publish ladders
ladder_build.py      a ladder from anyone's own prompts
ladder_check.py      check a ladder against its rules
ladder_describe.py   measure a ladder without models, and write its card
ladder_plan.py       what difference a design would find, before anything runs
ladder_push.py       publish a ladder on the Hub
main.py              The command `lm-eval-sensitivity`: thin subcommands over the package
neighborhood.py      how far one prompt's output moves under small edits of it
pairs.py             finished runs as one tidy table, one row per system, pair and filter
panel.py             many systems through lm_eval, and a report about them
parser.py            The parser of all commands: an option or a name that is none gets a sentence
probe.py             the inside of a finished run's model, while it is fed what it said
publish.py           exported results as a dataset on the Hub, and a Space that shows them
report.py            one page with figures and tables, and the figures as files
rescore.py           a finished run measured again, with another embedder or answer rule
round.py             copies of a model with few bits for each weight
show.py              the summary of a run again, or all its numbers
space.py             the page over exported results, served on this machine
tasks_path.py        the task folder, for `--include_path`
view.py              the page over finished runs, without an export that stays
wrap.py              tasks of lm_eval's, to be run under harmless edits
"""
