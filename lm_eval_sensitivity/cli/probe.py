"""`lm-eval-sensitivity probe`: look inside the model of a finished run while it is fed what it said."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from lm_eval_sensitivity.cli.analysis_options import (
    add_output_options,
    add_run_options,
    add_runs,
    complain,
    folder,
    run_options,
    whole_number,
    write,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.catalogue import NAMES, Probe, probe_named
from lm_eval_sensitivity.probes.document import probe_document
from lm_eval_sensitivity.probes.files import check_folder, kept_results, save
from lm_eval_sensitivity.probes.outputs import outputs_of
from lm_eval_sensitivity.probes.probing import Probed, probed
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures import NotDrawn, check_matplotlib, render
from lm_eval_sensitivity.runs import Runs, System, load_runs
from lm_eval_sensitivity.runs.answers import refuse_answers
from lm_eval_sensitivity.runs.beside import system_of
from lm_eval_sensitivity.text.escape import shown_path

DESCRIPTION = """\
Look inside the model of a finished run while it is fed what it said: one pass over prompt and output, no generation.
The result is printed and kept in the run folder, where `report`, `export`, `clusters` and `compare` find it."""

EPILOG = """\
examples:
  lm-eval-sensitivity probe boundary runs/qwen3-4b
  lm-eval-sensitivity probe stretch runs/qwen3-4b --model_args pretrained=Qwen/Qwen3-4B,dtype=float32 --device cuda:0
  lm-eval-sensitivity probe radius runs/qwen3-4b --kept --format markdown
  lm-eval-sensitivity probe cards runs/qwen3-4b --folder cards
  lm-eval-sensitivity probe bits runs/qwen3-4b 8=runs/qwen3-4b-8bit 4=runs/qwen3-4b-4bit

Each probe has its own --help. The weights must be those of the run. In a run: --metadata '{"probes": ["boundary"]}'."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand, and below it one for each probe."""
    parser = subparsers.add_parser(
        "probe",
        help="look inside the model of a finished run",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="probes", dest="probe", metavar="NAME", required=True)
    for name in NAMES:
        _add_probe(actions, probe_named(name))


def _add_probe(actions: Any, probe: Probe[Any]) -> None:
    misreadings = "\n".join(f"  {each}" for each in probe.not_to_be_read_as)
    parser = actions.add_parser(
        probe.name,
        help=probe.words,
        description=f"{probe.title}: {probe.words}.",
        epilog=f"not to be read as:\n{misreadings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if not probe.of_series:
        add_runs(parser)
    else:
        words = "the run of the model, then BITS=RUN for each width; with --kept runs of models only"
        parser.add_argument("runs", nargs="+", type=folder, metavar="RUN", help=words)
    own = parser.add_argument_group("of this probe")
    for each in _options(probe.settings):
        own.add_argument(each[0], **each[1])
    if probe.write is not None:
        own.add_argument("--folder", type=Path, metavar="FOLDER", help="write its files there")
    if probe.check is not None:
        own.add_argument(
            "--check", type=Path, metavar="FILE", help="make this one again and compare; exit 1 if it changed"
        )
    parser.add_argument(
        "--kept", action="store_true", help="print what the runs hold instead of measuring again"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it: a .png or .svg")
    _add_model_options(parser)
    add_run_options(parser)
    add_output_options(parser)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model, as in lm_eval")
    group.add_argument(
        "--model_args", metavar="ARGS", help="name=value,name=value or JSON; default: the run's own"
    )
    group.add_argument("--device", default="cuda:0", help="default: %(default)s, the CPU where there is none")
    group.add_argument(
        "--batch_size", type=whole_number(1, 4_096), default=8, metavar="N", help="%(default)s"
    )
    group.add_argument(
        "--upcast",
        action="store_true",
        help="weights of 16 bits, arithmetic of 32: a flip is the edit's, not a kernel's",
    )


def _options(settings: type[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The options of a probe: the fields of its settings."""
    kinds = get_type_hints(settings)
    for field in fields(settings):
        option = f"--{field.name.replace('_', '-')}"
        words = field.metadata.get("help", "")
        kind = kinds[field.name]
        if kind is bool:
            yield option, {"action": argparse.BooleanOptionalAction, "default": field.default, "help": words}
            continue
        shown = ", ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        yield (
            option,
            {
                "type": _parser_of(kind),
                "default": field.default,
                "metavar": "LIST"
                if isinstance(field.default, tuple)
                else "N"
                if kind in (int, float)
                else "NAME",
                "help": f"{words}{'; ' if words else ''}default: {shown if str(shown) else 'none'}".replace(
                    "%", "%%"
                ),
            },
        )


def _parser_of(kind: Any) -> Callable[[str], Any]:
    """What reads a text as a value of a setting; a list has commas."""
    if inner := get_args(kind):
        each = _parser_of(inner[0])
        return lambda text: tuple(each(part.strip()) for part in text.split(",") if part.strip())
    if kind is int:
        return whole_number(0, 2**31)
    return _number if kind is float else str


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number") from None
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no finite number")
    return found


# ---- running


def run(options: argparse.Namespace) -> int:
    """Measure or take what is kept; print, and write what was asked for."""
    probe = probe_named(options.probe)
    if options.picture is not None:
        _check_picture(options.picture)
    widths = _taken_widths(options) if probe.of_series else {}
    pairs = load_runs([*options.runs, *widths], **run_options(options))
    refuse_answers((rung for system in pairs.systems for rung in system.rungs), "Probes read outputs")
    if getattr(options, "check", None) is not None:
        return _check(probe, pairs.systems, options)
    # In the order of letters, so that the order of folders changes nothing.
    systems = sorted(pairs.systems, key=lambda system: system.name)
    if widths:
        systems = [system_of(pairs, options.runs[0])]
        probe = _of_series(probe, pairs, systems[0], widths, options)
    results = [_kept(each, probe) if options.kept else _measured(each, probe, options) for each in systems]
    write(probe_document(results), options)
    if options.picture is not None:
        _draw(probe, results, options.picture)
    if getattr(options, "folder", None) is not None:
        assert probe.write is not None
        written = [path for each in results for path in probe.write(each, options.folder)]
        _say(f"Wrote {len(written)} files to {shown_path(options.folder)}.")
    return 0


_TWO_WIDTHS = "A run is given for two widths, or for a width and as the model's own. Give each run once."


def _taken_widths(options: argparse.Namespace) -> dict[Path, float]:
    """The runs that were given as BITS=RUN; they leave `options.runs`, which keeps the model's own."""
    given = [re.fullmatch(r"([1-9][0-9]?(?:\.[0-9]{1,4})?)=(.+)", str(path)) for path in options.runs]
    widths = {Path(found[2]): float(found[1]) for found in given if found}
    options.runs = [path for path, found in zip(options.runs, given, strict=True) if not found]
    for path in options.runs:
        if "=" in str(path) and not path.exists():
            raise InputError(
                f"{shown_path(path)} is no folder, and its width is none. Accepted are bits from 1 to 99, as in "
                "`4.5=runs/m-4bit`."
            )
    if options.kept and not widths:
        return {}
    if options.kept or len(options.runs) != 1 or not widths:
        accepted = (
            "the run of the model and BITS=RUN for each width, as in `runs/m 8=runs/m-8bit 4=runs/m-4bit`"
        )
        raise InputError(
            f"`probe {options.probe}` has {len(options.runs)} runs of models and {len(widths)} of widths. Accepted is "
            f"{accepted}; with `--kept`, runs of models alone."
        )
    if len(widths) < sum(found is not None for found in given):
        raise InputError(_TWO_WIDTHS)
    if len(set(widths.values())) < len(widths):
        raise InputError(
            "A width is given twice: a floor is over one method. Give each width once, and other methods by themselves."
        )
    return widths


def _of_series(
    probe: Probe[Any],
    pairs: Runs,
    reference: System,
    widths: Mapping[Path, float],
    options: argparse.Namespace,
) -> Probe[Any]:
    """The probe with the runs that it compares."""
    from lm_eval_sensitivity.harness.replaying import load_replay
    from lm_eval_sensitivity.probes.bits.series import Series

    # Every width says itself which weights it had.
    settings = replace(_replay_settings(options), model_args=None)
    bits = {system_of(pairs, path).name: width for path, width in widths.items()}
    if len(bits.keys() - {reference.name}) < len(widths):
        raise InputError(_TWO_WIDTHS)
    series = Series(pairs, reference, bits, lambda system: load_replay(system, settings)[0])
    return replace(probe, series=series)


def _kept(system: System, probe: Probe[Any]) -> ProbeResult[Any]:
    found = kept_results(system, [probe.name])
    if not found:
        raise InputError(
            f"The run of {system.name} holds no result of the probe {probe.name}. Leave `--kept` out to measure it."
        )
    return found[probe.name]


def _measured(system: System, probe: Probe[Any], options: argparse.Namespace) -> ProbeResult[Any]:
    # The harness imports lm_eval and torch; `--help` and `--kept` must not wait for them.
    from lm_eval_sensitivity.harness.replaying import load_replay

    settings = probe.settings(**{each.name: getattr(options, each.name) for each in fields(probe.settings)})
    folder = system.rungs[-1].results.parent
    check_folder(folder)
    outputs = outputs_of(system)
    replay, notes = load_replay(system, _replay_settings(options))
    result = probed(probe, replay, outputs, settings, Probed.of(system), notes)
    path = save(result, folder)
    _say(f"Kept in {shown_path(path)}.")
    return result


def _replay_settings(options: argparse.Namespace) -> Any:
    from lm_eval_sensitivity.harness.replaying import ReplaySettings

    names = (each.name for each in fields(ReplaySettings))
    return ReplaySettings(**{name: getattr(options, name) for name in names})


def _check(probe: Probe[Any], systems: Sequence[System], options: argparse.Namespace) -> int:
    from lm_eval_sensitivity.harness.replaying import load_replay

    assert probe.check is not None
    if len(systems) != 1:
        raise InputError(f"`--check` takes one system; these runs hold {len(systems)}. Give one run.")
    replay, _ = load_replay(systems[0], _replay_settings(options))
    document, same = probe.check(options.check, replay, outputs_of(systems[0]))
    write(document, options)
    if not same:
        complain(options, "--check: it is not the same again; see the document.")
    return 0 if same else 1


def _check_picture(path: Path) -> None:
    check_matplotlib()
    if path.suffix not in (".png", ".svg"):
        raise InputError(f"`--picture {shown_path(path)}`: accepted are names that end in .png or .svg.")


def _draw(probe: Probe[Any], results: Sequence[ProbeResult[Any]], path: Path) -> None:
    """One file; of several systems one each, numbered in the order of letters, where the probe has none of all."""
    drawn = [probe.together(results)] if probe.together else [probe.picture(each) for each in results]
    names = [result.name for result in results] if len(drawn) == len(results) else ["several systems"]
    for number, (picture, name) in enumerate(zip(drawn, names, strict=True), 1):
        if isinstance(picture, NotDrawn):
            _say(f"{picture.title}: {picture.reason}")
            continue
        file = render(picture, f"{name}, probe {probe.name}")
        target = path if len(drawn) == 1 else path.with_stem(f"{path.stem}_{number}")
        try:
            target.write_bytes(file.png if path.suffix == ".png" else file.svg)
        except OSError as error:
            raise InputError(
                f"`--picture {shown_path(target)}` cannot be written ({error.strerror})."
            ) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr)
