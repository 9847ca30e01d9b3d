"""What the other words are about."""

from __future__ import annotations

from lm_eval_sensitivity.glossary.terms import Term, by_name

THINGS = by_name(
    (
        Term(
            "system",
            "Everything that produced one set of outputs: model, precision, chat template, decoding. Two runs with the "
            "same fingerprint are one system.",
        ),
        Term("run", "A folder that was `--output_path` of lm_eval."),
        Term(
            "label",
            "A name that you give a run with `--label RUN=NAME`; without it the model's name is shown.",
        ),
        Term(
            "ladder",
            "Prompts with edits of growing strength. `core`, `mini`, `spread` and `full` are its subsets.",
        ),
        Term("base", "A prompt as it was written."),
        Term("variant", "The prompt after one edit."),
        Term("pair", "A base and one variant of it, with both outputs."),
        Term(
            "distance",
            "How far two outputs are apart: 0 is the same; the positive control shows how far another topic is.",
        ),
        Term("harmless edit", "An edit of a meaning-preserving rung: a good answer stays the same."),
        Term("positive control", "An edit that asks for something else: a good answer must change."),
        Term(
            "noise floor",
            "How far an output moves when nothing was edited. Greedy decoding need not have any.",
        ),
        Term("reference", "The run that others are compared with, such as the model before quantization."),
        Term("drift", "Distance from the reference's outputs on the identical prompts."),
        Term("cluster", "Systems that share a letter: no two of them can be told apart."),
        Term("window", "The first 64, 128, 256 or 512 tokens of an output."),
        Term("reasoning", "What an output holds before its answer, between marks such as `<think>`."),
        Term("token limit", "The most tokens that an output may have: `--gen_kwargs max_gen_toks=N`."),
        Term("fingerprint", "A short hash of whatever changes a system's outputs."),
        Term(
            "signature", "What a computation depends on, in one line: numbers compare only where it agrees."
        ),
    )
)
RUNG_SETS = by_name(
    (
        Term(
            "meaning_preserving",
            "`noop`, `punctuation`, `synonym` and `paraphrase` together: the harmless edits.",
            "meaning_preserving: all four harmless rungs",
        ),
    )
)
FILTERS = by_name(
    (
        Term("raw", "The whole output, its reasoning included.", "raw: the whole output"),
        Term(
            "answer",
            "The output without its reasoning; the whole output where there is none.",
            "answer: without reasoning",
        ),
    )
)
