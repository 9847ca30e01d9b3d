"""The passes of the probe, in order, and the finding they add up to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.edits import RULES, chosen_pairs
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Path, Reader, Replay
from lm_eval_sensitivity.probes.result import Measured, PerPrompt
from lm_eval_sensitivity.probes.stretch.disturbed import (
    Differences,
    Disturbance,
    Group,
    compare,
    seed_of,
)
from lm_eval_sensitivity.probes.stretch.edits import EndStates, edit_profiles, edit_sizes
from lm_eval_sensitivity.probes.stretch.finding import (
    LayerJacobian,
    Network,
    NetworkGrowth,
    Positions,
    StretchFinding,
    SweepPoint,
)
from lm_eval_sensitivity.probes.stretch.growth import (
    Growth,
    evenly,
    layer_growth,
    log_growth,
    mean_where_known,
    range_growth,
)
from lm_eval_sensitivity.probes.stretch.jacobian import jacobian_norms
from lm_eval_sensitivity.probes.stretch.routes import Routes
from lm_eval_sensitivity.probes.stretch.settings import JACOBIAN_PROMPTS, SWEEP, SWEEP_PROMPTS, Settings
from lm_eval_sensitivity.probes.stretch.shares import Products, share_records
from lm_eval_sensitivity.probes.stretch.stream import StreamReader
from lm_eval_sensitivity.probes.stretch.untrained import untrained_like
from lm_eval_sensitivity.types import Note

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BasePass:
    """What this probe reads of a pass over base outputs, which other probes may share."""

    names: tuple[str, ...]
    """[path] prompt ids."""
    paths: tuple[Path, ...]
    stream: StreamReader

    @property
    def readers(self) -> tuple[Reader, ...]:
        """To be given to `Replay.run` together with `paths`."""
        return (self.stream,)


def base_pass(replay: Replay, outputs: RunOutputs, settings: Settings) -> BasePass:
    """Paths and readers of the pass over base outputs.

    Args:
        replay: of the loaded model.
        outputs: of its run.
        settings: of the probe.

    Raises:
        InputError: sublayers of this architecture do not add up to what a block does.
    """
    names = tuple(evenly(list(outputs.bases), settings.prompts))
    paths = tuple(Path.of(outputs.bases[name]) for name in names)
    return BasePass(names, paths, StreamReader(replay.architecture, _positions(settings)))


def measure(replay: Replay, outputs: RunOutputs, settings: Settings) -> Measured[StretchFinding]:
    """Growth per layer, shares, profiles of edits; of the loaded model and of the same network untrained.

    Args:
        replay: of the loaded model.
        outputs: of its run.
        settings: of the probe.

    Returns:
        The finding, relative and magnitude growth of every prompt over the inner layers, and what was left out.

    Raises:
        InputError: sublayers of this architecture do not add up to what a block does.

    Example:
        See `tests/probes/test_stretch.py`; a replay takes a model.
    """
    shared = base_pass(replay, outputs, settings)
    replay.run(shared.paths, shared.readers)
    return measured(replay, outputs, settings, shared)


def measured(
    replay: Replay, outputs: RunOutputs, settings: Settings, shared: BasePass
) -> Measured[StretchFinding]:
    """The rest of `measure`, behind the pass over base outputs.

    Args:
        replay: of the loaded model.
        outputs: of its run.
        settings: of the probe.
        shared: from `base_pass`; its readers have seen all of its paths.
    """
    bases = {name: outputs.bases[name] for name in shared.names}
    wide = in_float32(replay)
    numbers = {name: number for number, name in enumerate(shared.names)}
    pairs = [pair for pair in _variants(outputs, settings) if pair.pair.prompt_id in numbers]
    ends = EndStates({numbers[pair.pair.prompt_id] for pair in pairs})
    groups = [Group(_path(base, settings), _disturbances(name, settings)) for name, base in bases.items()]
    routes = Routes()
    differences = compare(wide, groups, [ends], "Disturbing", routes)
    sizes, products = shared.stream.of(range(len(shared.names)))
    growth = _growth(sizes, differences)
    loaded = _network("as loaded", growth, products, differences, routes, shared.stream)
    untrained, left_out = _untrained(wide, bases, settings)
    of_edits = edit_sizes(wide, pairs, [ends.states[numbers[pair.pair.prompt_id]] for pair in pairs])
    jacobian, no_jacobian = _jacobian(wide, bases, settings)
    finding = StretchFinding(
        positions=_positions(settings),
        size=settings.size,
        seeds=settings.seeds,
        networks=(loaded, *untrained),
        edits=edit_profiles(of_edits),
        sweep=_sweep(wide, bases, settings) if settings.sweep else (),
        jacobian=jacobian,
    )
    return Measured(
        finding,
        _per_prompt(shared.names, growth),
        (*left_out, *no_jacobian, *_missing(finding, bases, settings), *_arithmetic(replay, wide)),
    )


def in_float32(replay: Replay) -> Replay:
    """The same model, computing in float32 at least: a difference of two 16-bit states is mostly rounding."""
    if str(replay.model.dtype) not in ("torch.float16", "torch.bfloat16") or replay.conditions.upcast:
        return replay
    return Replay(replay.model, batch_size=replay.batch_size, upcast=True, architecture=replay.architecture)


# ---- passes


def _positions(settings: Settings) -> Positions:
    return cast(Positions, settings.positions)


def _path(base: RunOutput, settings: Settings) -> Path:
    """What is fed for the positions that are read; the prompt end is the one that predicts step 0."""
    n_steps = None if settings.positions == "generated" else 1
    return Path(base.prompt_ids, base.output_ids[:n_steps])


def _variants(outputs: RunOutputs, settings: Settings) -> list[RunPair]:
    # What nobody asked for by name may be missing.
    is_default = settings.edits == Settings().edits
    return (
        outputs.live_pairs(settings.edits) if is_default else chosen_pairs(outputs, settings.edits, "stretch")
    )


def _disturbances(name: str, settings: Settings) -> tuple[Disturbance, ...]:
    return tuple(
        Disturbance(settings.size, seed_of(name, settings.seed, number)) for number in range(settings.seeds)
    )


def _untrained(
    replay: Replay, bases: dict[str, RunOutput], settings: Settings
) -> tuple[tuple[NetworkGrowth, ...], tuple[Note, ...]]:
    """The untrained network on some of the prompts, or why there is none."""
    if not settings.untrained_prompts:
        return (), ()
    names = evenly(list(bases), settings.untrained_prompts)
    groups = [Group(_path(bases[name], settings), _disturbances(name, settings)) for name in names]
    tokens = {token for group in groups for token in group.path.fed}
    try:
        twin = untrained_like(replay, tokens, settings.seed)
    except InputError as error:
        return (), (Note("left_out", f"The untrained network: {error}"),)
    stream, routes = StreamReader(twin.architecture, _positions(settings)), Routes()
    differences = compare(twin, groups, [stream], "Untrained network", routes)
    sizes, products = stream.of(range(len(names)))
    growth = _growth(sizes, differences)
    return (_network("untrained", growth, products, differences, routes, stream),), ()


def _sweep(replay: Replay, bases: dict[str, RunOutput], settings: Settings) -> tuple[SweepPoint, ...]:
    """One direction per prompt in all sizes."""
    names = evenly(list(bases), SWEEP_PROMPTS)
    groups = [
        Group(
            _path(bases[name], settings),
            tuple(Disturbance(size, seed_of(name, settings.seed, 0)) for size in SWEEP),
        )
        for name in names
    ]
    differences = compare(replay, groups, (), "Sweep", Routes())
    points = []
    for place, size in enumerate(SWEEP):
        logs = np.stack([log_growth(each.disturbed[place]) - log_growth(each.clean) for each in differences])
        inner = logs[:, _inner(logs.shape[1])].mean(axis=1)
        points.append(SweepPoint(size, len(names), _factor(inner), _factor(logs.sum(axis=1))))
    return tuple(points)


def _jacobian(
    replay: Replay, bases: dict[str, RunOutput], settings: Settings
) -> tuple[tuple[LayerJacobian, ...], tuple[Note, ...]]:
    """Norms of each block where they are asked for, or why there are none."""
    if not settings.jacobian:
        return (), ()
    names = evenly(list(bases), JACOBIAN_PROMPTS)
    try:
        return jacobian_norms(replay, {name: bases[name].prompt_ids for name in names}, settings.seed), ()
    except NotImplementedError as error:
        # As of fused products of experts.
        why = str(error).splitlines()[0][:300]
        return (), (
            Note("left_out", f"No Jacobian norms: PyTorch cannot differentiate this model forward. {why}"),
        )


# ---- from sizes to the finding


def _growth(sizes: Sequence[NDArray[np.float32]], differences: Sequence[Differences]) -> Growth:
    magnitude = np.stack([log_growth(each) for each in sizes])
    disturbance = np.stack([_mean_growth(each.disturbed) for each in differences])
    clean = np.stack([log_growth(each.clean) for each in differences])
    return Growth(
        magnitude,
        disturbance,
        frobenius=np.stack([_mean_growth(each.frobenius[..., None]) for each in differences]),
        relative=disturbance - clean,
    )


def _mean_growth(sizes: Floats) -> Floats:
    """[layer] of [disturbance, layer 0 to L, position]."""
    return mean_where_known(np.stack([log_growth(each) for each in sizes]), axis=0)


def _network(
    network: Network,
    growth: Growth,
    products: list[Products],
    differences: Sequence[Differences],
    routes: Routes,
    stream: StreamReader,
) -> NetworkGrowth:
    disturbed = [layer for each in differences for layer in _defined(each.disturbed)]
    return NetworkGrowth(
        network=network,
        n_prompts=len(products),
        n_positions=sum(len(each.whole) for each in products),
        ranges=range_growth(growth),
        layers=layer_growth(growth),
        shares=share_records(products),
        first_defined=min(disturbed, default=None),
        routes_changed=routes.changed,
        sum_error=stream.largest_error,
    )


def _defined(sizes: Floats) -> list[int]:
    """Layers at which some disturbance has a size."""
    found: list[int] = np.flatnonzero((sizes > 0).any(axis=(0, 2))).tolist()
    return found


def _inner(n_layers: int) -> slice:
    """The inner layers; all of a network that has none."""
    return slice(1, n_layers - 1) if n_layers > 2 else slice(None)


def _factor(logs: Floats) -> float:
    return math.exp(float(mean_where_known(logs, axis=0)))


def _per_prompt(names: Sequence[str], growth: Growth) -> tuple[PerPrompt, ...]:
    inner = _inner(growth.magnitude.shape[1])
    measures = {
        "relative_growth": (
            "growth of a disturbance relative to the residual, factor per inner layer",
            growth.relative,
        ),
        "magnitude_growth": ("growth of the residual, factor per inner layer", growth.magnitude),
    }
    return tuple(
        PerPrompt(
            measure,
            words,
            {
                name: None if math.isnan(log) else math.exp(log)
                for name, log in zip(names, logs[:, inner].mean(axis=1).tolist(), strict=True)
            },
        )
        for measure, (words, logs) in measures.items()
    )


def _missing(finding: StretchFinding, bases: dict[str, RunOutput], settings: Settings) -> Iterator[Note]:
    """What has no number, and what has a spread that is not one."""
    there = {each.edit for each in finding.edits}
    for edit in settings.edits:
        if edit not in {*there, *RULES}:
            yield Note("left_out", f"No live pair has the edit {edit}: it has no profile.")
    if settings.positions == "prompt_end" and len({base.prompt_ids[-1] for base in bases.values()}) == 1:
        yield Note(
            "caution",
            "All prompts end in the same token, as behind a chat template: x_0 is the same for all, and intervals over "
            "prompts are too narrow.",
        )


def _arithmetic(replay: Replay, wide: Replay) -> Iterator[Note]:
    """Which numbers come from which arithmetic, where there are two."""
    if wide is not replay:
        yield Note(
            "method",
            f"Magnitudes and shares are of the pass in {replay.conditions.dtype}; disturbances, relative growth and "
            "edits of passes with the same weights in float32 arithmetic.",
        )
