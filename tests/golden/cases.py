"""Every expected output: its file below `expected`, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tests.golden.doors import command, downloads, page, written

GREEDY = "greedy/demo greedy/rounded greedy/coarse"
TEXT = "text/steady text/fickle"
LADDER = "--ladder ../ladder.jsonl"
QUICK = f"{LADDER} --resamples 199"
TESTED = f"{QUICK} --draws 199"
REFERENCE = "--reference greedy/demo"

IN_EVERY_FORM = {
    "clusters": f"clusters {GREEDY} {TESTED}",
    "clusters_of_texts": f"clusters {TEXT} {TESTED} --filter raw --filter answer",
    "compare": f"compare greedy/demo greedy/rounded {TESTED}",
    "compare_unlike": f"compare greedy/demo greedy/coarse {TESTED} --rungs synonym --filter raw",
    "compare_texts": f"compare {TEXT} {TESTED}",
    "drift": f"drift {GREEDY} {REFERENCE} {QUICK}",
    "drift_without_reference": f"drift {TEXT} {QUICK}",
    "heatmap": f"heatmap {GREEDY} {QUICK}",
}
FORMS = ("table", "markdown", "csv", "json")
GATE_FORMS = ("junit", "comment")
IN_ONE_FORM = {
    "clusters_pairwise": f"clusters {GREEDY} {TESTED} --pairwise --alpha 0.2 --metric js_divergence --filter raw",
    "clusters_of_metrics": f"clusters greedy/demo greedy/rounded {TESTED} --metric token_edit_distance --metric "
    "hidden_distance --metric cosine_distance_64 --filter raw --rungs noop --rungs paraphrase",
    "heatmap_of_texts": f"heatmap {TEXT} {QUICK} --filter raw --filter answer --metric cosine_distance",
    "pairs": f"pairs {GREEDY} {LADDER}",
    "pairs_of_texts": f"pairs {TEXT} {LADDER}",
    "audit": f"audit {{demo}} {LADDER}",
    "audit_without_template": f"audit {{demo}} {LADDER} --no-chat-template --format csv",
    "clusters_alone": "clusters greedy/demo --resamples 199 --draws 199",
    "clusters_of_missing": f"clusters {TEXT} {TESTED} --metric js_divergence --filter raw",
    "clusters_of_two_kinds": f"clusters greedy/demo text/steady {TESTED}",
    "mistake_no_folder": "clusters greedy/nothing",
    "mistake_sampled": f"pairs sampled/demo {LADDER}",
    "mistake_unlike": f"clusters text/steady text/other_limit {TESTED}",
    "mistake_unlike_left_out": f"pairs text/steady text/other_limit {LADDER} --exclude-mismatched",
    "mistake_same_system": f"compare greedy/demo greedy/demo {TESTED}",
    "mistake_metric": f"clusters greedy/demo greedy/rounded {TESTED} --metric cosine_distanse",
    "mistake_rungs": f"clusters {TEXT} {TESTED} --rungs paraphrase",
    "mistake_only_reference": f"drift greedy/demo {REFERENCE} {QUICK}",
    "mistake_option": "clusters greedy/demo --resamples 3",
    "mistake_export_folder": f"export {GREEDY} {TESTED} -o .",
}

EXPORT = f'export {GREEDY} {REFERENCE} --series "Demo=greedy/demo,greedy/rounded" {TESTED} -o {{tmp}}/results_greedy'
EXPORT_OF_TEXTS = f"export {TEXT} {TESTED} -o {{tmp}}/results_text"
ADDRESSES = {
    "clusters": "",
    "clusters_other": "metric=js_divergence&filter=raw&rungs=synonym",
    "axes": "view=axes",
    "axes_raw": "view=axes&filter=raw",
    "heatmap": "view=heatmap",
    "heatmap_edit_distance": "view=heatmap&metric=token_edit_distance&filter=raw",
    "pairs": "view=pairs&edit=synonym_1",
    "pairs_of_a_prompt": "view=pairs&system=demo&prompt=sky-colours",
    "pair": "view=pairs&system=demo&pair=brasilia-capital/synonym_1",
    "pair_step": "view=pairs&system=coarse&pair=sky-colours/control_topic&step=3&filter=raw",
    "length": "view=length",
    "compare": "view=compare&a=coarse&b=demo&prompt=sky-colours",
    "compare_drift": "view=compare&a=demo&b=rounded",
    "learn": "view=learn&r=3.2",
    "method": "view=method",
    "mistake_number": "view=pairs&system=1&edit=synonym_1",
    "mistakes": "view=heatmap&metric=nothing&filter=row&colour=red&system=99",
}
ADDRESSES_OF_TEXTS = {
    "clusters": "filter=raw",
    "axes": "view=axes",
    "pair": "view=pairs&system=fickle&pair=sky-colours/leading_space",
    "length": "view=length",
}

CASES: Mapping[str, Callable[[], str]] = {
    **{
        f"commands/{name}.{form}.txt": partial(command, f"{line} --format {form}")
        for name, line in IN_EVERY_FORM.items()
        for form in FORMS
    },
    **{
        f"commands/{name}.{form}.txt": partial(
            command, f"{IN_EVERY_FORM[name]} --fail-on UNDETERMINED --format {form}"
        )
        for name in ("drift", "drift_without_reference")
        for form in GATE_FORMS
    },
    **{f"commands/{name}.txt": partial(command, line) for name, line in IN_ONE_FORM.items()},
    **{
        f"commands/pairs_written.{ending}.txt": partial(
            written, f"pairs {GREEDY} {LADDER} -o {{tmp}}/pairs.{ending}", f"pairs.{ending}"
        )
        for ending in ("parquet", "csv", "jsonl")
    },
    "report/page.txt": partial(written, f"report {GREEDY} {REFERENCE} {TESTED} -o {{tmp}}/report", "report"),
    "results/greedy.txt": partial(written, EXPORT, "results_greedy"),
    "results/text.txt": partial(written, EXPORT_OF_TEXTS, "results_text"),
    "results/publish.txt": partial(
        command,
        "publish {tmp}/results_greedy somebody/results --tag v1.0.0 --space somebody/page --dry-run",
        EXPORT,
    ),
    "results/downloads.txt": partial(downloads, EXPORT),
    **{f"page/{name}.html": partial(page, EXPORT, address) for name, address in ADDRESSES.items()},
    **{
        f"page/texts_{name}.html": partial(page, EXPORT_OF_TEXTS, address)
        for name, address in ADDRESSES_OF_TEXTS.items()
    },
}
"""No model runs for any of these; they are made from the recordings."""

WITH_A_MODEL: Mapping[str, Callable[[], str]] = {
    **{
        f"models/neighborhood.{form}.txt": partial(
            command,
            'neighborhood "Why is the sky blue, and why is it red in the evening?" --model_args pretrained={demo} '
            f"--device cpu --batch_size 16 --gen_kwargs max_gen_toks=24 --apply_chat_template --format {form}",
        )
        for form in ("table", "markdown", "json", *GATE_FORMS)
    },
    "models/neighborhood_limit.txt": partial(
        command,
        'neighborhood "Name three rivers." --model golden_text --model_args model=fickle --device cpu '
        "--apply_chat_template --fail-above 0.2",
    ),
    "models/rescore.txt": partial(
        command, f"rescore text/steady {LADDER} --scaffold none -o {{tmp}}/rescored"
    ),
    "models/drift_recomputed.txt": partial(command, f"drift {TEXT} --reference text/steady {QUICK}"),
}
"""These need PyTorch, and numbers are compared as numbers."""
