"""The probe `recover`: every prompt pushed, and the distances of the texts that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lm_eval_sensitivity.embedder import TextDistances, find_embedder
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.continuing import end_ids
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs
from lm_eval_sensitivity.probes.recover.analysis import PushedPrompt, Texts, finding_of, per_prompt
from lm_eval_sensitivity.probes.recover.finding import RecoverFinding
from lm_eval_sensitivity.probes.recover.push import Pusher
from lm_eval_sensitivity.probes.recover.settings import Settings
from lm_eval_sensitivity.probes.replay import Path, Replay
from lm_eval_sensitivity.probes.result import Measured
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.types import Note


def measure(replay: Replay, outputs: RunOutputs, settings: Settings) -> Measured[RecoverFinding]:
    """Push the output of every unedited prompt, at every layer and size.

    Args:
        replay: of the system.
        outputs: of its run.
        settings: of the probe.

    Returns:
        The finding, two numbers per prompt, and what was left out.

    Raises:
        InputError: a layer that the model does not have, an embedder that cannot be found, or no output that goes on
            beyond the step of the push.
    """
    cells = settings.cells(replay.architecture.n_layers)
    if settings.embedder:
        find_embedder(settings.embedder)  # a wrong name is refused before the first push, not after the last
    long_enough = {name: each for name, each in outputs.bases.items() if len(each.output_ids) > settings.step}
    if not long_enough:
        raise InputError(
            f"No output goes on beyond step {settings.step}, where the push is. Give a smaller `step`, or generate "
            "more tokens."
        )
    limit = settings.limit or max(
        len(each.output_ids) for pair in outputs.pairs for each in (pair.base, pair.variant)
    )
    short = sorted(set(outputs.bases) - set(long_enough))
    bases = {name: _shortened(each, limit) for name, each in long_enough.items()}
    replay.run([Path.of(each) for each in long_enough.values()], label="Replaying")
    ends = end_ids(replay, (each for pair in outputs.pairs for each in (pair.base, pair.variant)))
    pusher = Pusher(replay, cells, settings.step, limit, ends, settings.seed)
    pushed = []
    with progress("Pushing", len(bases), "output") as bar:
        for name, output in bases.items():
            pushed.append(PushedPrompt(name, output.output_ids, pusher.push(output)))
            bar.update(1)
    found = finding_of(
        pushed, cells, replay.architecture.n_layers, limit, _texts(replay, pushed, pusher, settings), settings
    )
    return Measured(found, per_prompt(found), tuple(_notes(short, settings.step)))


def _shortened(output: RunOutput, limit: int) -> RunOutput:
    return (
        output if len(output.output_ids) <= limit else replace(output, output_ids=output.output_ids[:limit])
    )


def _texts(replay: Replay, pushed: Sequence[PushedPrompt], pusher: Pusher, settings: Settings) -> Texts:
    """Texts of all free paths and how they are compared; or why they are not."""
    if replay.tokenizer is None:
        return Texts({}, None, "the model came without a tokenizer")
    try:
        distances = TextDistances(find_embedder(settings.embedder or None).load)
        name = distances.embedder.identity.name
    except InputError as error:
        return Texts({}, None, str(error))
    paths = {path for each in pushed for path in (*each.pushed.tokens, each.pushed.own)}
    texts = {
        path: replay.tokenizer.decode(
            [each for each in path if each not in pusher.end_ids], skip_special_tokens=True
        )
        for path in paths
    }
    distances.prepare(texts.values())
    return Texts(texts, distances, "", name)


def _notes(short: Sequence[str], step: int) -> list[Note]:
    if not short:
        return []
    words = f"{len(short)} outputs end before step {step}, where the push is: {', '.join(short)}."
    return [Note("left_out", words, tuple(short))]
