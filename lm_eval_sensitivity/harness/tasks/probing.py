"""Probes in a run: the model is loaded anyway, and its outputs are known token by token."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.registry import engine_of
from lm_eval_sensitivity.probes.catalogue import probe_named
from lm_eval_sensitivity.probes.document import probe_parts
from lm_eval_sensitivity.probes.files import save
from lm_eval_sensitivity.probes.outputs import outputs_from
from lm_eval_sensitivity.probes.probing import Probed, probed
from lm_eval_sensitivity.records.sample import SampleRow
from lm_eval_sensitivity.text.escape import brief, shown_path
from lm_eval_sensitivity.types import Note

logger = logging.getLogger(__name__)


def check_probes(names: Sequence[str], lm: Any, folder: Path | None, *, alone: bool) -> None:
    """Refuse before the first token what could only be refused after the last.

    Args:
        names: probes that were asked for.
        lm: the model as lm_eval made it; None where it is not seen.
        folder: that results are kept in.
        alone: whether one process does all.

    Raises:
        InputError: nothing is kept, the model cannot be looked into, or there are several processes.
    """
    if not names:
        return
    asked = f"`--metadata`: `probes` asks for {', '.join(names)}"
    after = "or use `lm-eval-sensitivity probe` after the run"
    if folder is None:
        raise InputError(f"{asked}, and their results are kept in the run folder. Add `--output_path`.")
    if not alone:
        raise InputError(f"{asked}, and a probe reads the outputs of one process. Leave it out, {after}.")
    if lm is not None and engine_of(lm, {}).model is None:
        raise InputError(
            f"{asked}, and {type(lm).__name__} shows no model that can be looked into. Use `--model hf`, {after}."
        )


def probe_run(
    names: Sequence[str], lm: Any, rows: Iterable[SampleRow], of: Probed, folder: Path
) -> list[str]:
    """Feed a run's outputs to its model again, and keep what the probes find.

    Args:
        names: probes, each with its own settings as they are by default.
        lm: the model as lm_eval made it.
        rows: of filter raw, of all tasks.
        of: the system.
        folder: that results are kept in.

    Returns:
        The sentence of each probe, or why it has none: a probe that fails never costs the run its results.
    """
    # Imports torch, which engines without weights do without.
    from lm_eval_sensitivity.probes.replay import Replay

    engine = engine_of(lm, {})
    said = []
    for name in names:
        probe = probe_named(name)
        try:
            outputs = outputs_from(((row, "this run") for row in rows), of.name)
            replay = Replay(engine.model, engine.tokenizer, batch_size=engine.batch_size or 1)
            result = probed(probe, replay, outputs, probe.settings(), of)
            folder.mkdir(parents=True, exist_ok=True)
            path = save(result, folder)
        except Exception as error:  # whatever a model's code raises: hours of generation are not lost for it
            logger.error("The probe %s found nothing.", name, exc_info=not isinstance(error, InputError))
            said.append(f"Probe {name}: {brief(str(error)) or type(error).__name__}.")
            continue
        logger.info("Probe %s: kept in %s.", name, shown_path(path))
        parts = probe_parts(result, probe, named=False)
        findings = [part.text for part in parts if isinstance(part, Note) and part.kind == "finding"]
        said += [f"Probe {name}: {text}" for text in findings[:1]]
    return said
