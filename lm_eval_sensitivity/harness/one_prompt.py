"""One prompt through lm_eval: its pairs become a ladder in a temporary folder, and the usual tasks run on it."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.records.sample import SampleRow, decode_row
from lm_eval_sensitivity.types import RUNGS, Pair

LADDER_NAME = "one_prompt"
"""Name of the temporary ladder in the run's summary, and its version: its hash tells prompts apart."""


@dataclass(frozen=True)
class RunSettings:
    """What lm_eval is told, under lm_eval's own names."""

    model: str = "hf"
    model_args: str = ""
    """`name=value,name=value` or a JSON object."""
    # lm_eval's command line has this default too: without a GPU its models fall back to the CPU from it.
    device: str | None = "cuda:0"
    batch_size: str = "1"
    gen_kwargs: str = ""
    """`name=value,name=value` or a JSON object."""
    apply_chat_template: bool | str = False
    system_instruction: str | None = None
    use_cache: str | None = None
    embedder: str | None = None
    """Model id or folder; None for the default one."""


def run_one_prompt(
    pairs: Sequence[Pair], settings: RunSettings, tasks_folder: Path
) -> tuple[tuple[SampleRow, ...], dict[str, Any]]:
    """Measure the pairs of one prompt with the tasks `prompt_sensitivity_<rung>`.

    Args:
        pairs: validated pairs of one base prompt; only the rungs that have pairs are run.
        settings: the model and how it is asked.
        tasks_folder: holds `prompt_sensitivity/` with its YAML files.

    Returns:
        The sample rows of both filters, mildest rung first, and what was measured and how:
        `configs.<task>.metadata.sensitivity` of the results.

    Raises:
        InputError: a setting that lm_eval, the model or the tasks refuse, in one sentence.
    """
    import lm_eval
    from lm_eval.tasks import TaskManager

    # As lm_eval's command line does: tokenizers warn about every later fork otherwise.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    model_args = parse_arguments(settings.model_args, "--model_args")
    gen_kwargs = parse_arguments(settings.gen_kwargs, "--gen_kwargs")
    tasks = [f"prompt_sensitivity_{rung}" for rung in RUNGS if any(pair.rung == rung for pair in pairs)]
    # Whatever lm_eval and its engines print belongs to its progress; stdout carries the result alone.
    with _ladder_folder(pairs) as folder, _without_git(), contextlib.redirect_stdout(sys.stderr):
        lm = load_model(settings, model_args)
        metadata = {**model_args, "ladder": str(folder), "table": "full"}
        if settings.embedder is not None:
            metadata["embedder"] = settings.embedder
        results = lm_eval.simple_evaluate(
            model=lm,
            model_args=model_args,
            tasks=tasks,
            # Our tasks only: reading lm_eval's twelve thousand YAML files takes longer than a small run.
            task_manager=TaskManager(
                include_path=str(tasks_folder), include_defaults=False, metadata=metadata
            ),
            gen_kwargs=gen_kwargs or None,
            use_cache=settings.use_cache,
            apply_chat_template=settings.apply_chat_template,
            system_instruction=settings.system_instruction,
            bootstrap_iters=0,
            log_samples=True,
        )
    if results is None:
        raise InputError(
            "Only the first of several processes has results. Start the command by itself, without "
            "`accelerate launch` or `torchrun`; one prompt is too little work to share."
        )
    rows = tuple(decode_row(row, f"Task `{task}`") for task in tasks for row in results["samples"][task])
    summary = results["configs"][tasks[0]]["metadata"]["sensitivity"]
    return rows, {name: value for name, value in summary.items() if name != "summary"}


def parse_arguments(text: str, option: str) -> dict[str, Any]:
    """Arguments in lm_eval's notation, or as a JSON object where a value has commas.

    Args:
        text: what the user wrote.
        option: that it was given to, for messages.

    Returns:
        Values by name; numbers and booleans as such.

    Raises:
        InputError: the text starts like JSON and is none.

    Example:
        >>> parse_arguments("pretrained=gpt2,dtype=float32", "--model_args")
        {'pretrained': 'gpt2', 'dtype': 'float32'}
        >>> parse_arguments('{"until": ["a", "b"]}', "--gen_kwargs")
        {'until': ['a', 'b']}
    """
    from lm_eval.utils import simple_parse_args_string

    if not text.lstrip().startswith("{"):
        return dict(simple_parse_args_string(text))
    try:
        return dict(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"`{option}` starts with a brace but is no JSON ({error}). Accepted: name=value,name=value, or a "
            "JSON object with double quotes."
        ) from None


def load_model(settings: RunSettings, model_args: Mapping[str, Any]) -> Any:
    """The model as lm_eval makes it, with its refusals as sentences.

    It is made here and not inside `simple_evaluate`, because only here is it certain that an error is about
    the model's arguments: the same exceptions later on would be defects, and keep their traceback.

    Args:
        settings: model name, batch size and device.
        model_args: as `parse_arguments` reads them.

    Returns:
        An lm_eval model.

    Raises:
        InputError: no such engine, a package that is missing, a model that cannot be found or read, an
            argument that the engine does not take, a device that is not there.
    """
    from lm_eval.api import registry

    from lm_eval_sensitivity.harness.tasks.asked import check_device

    options = {"batch_size": settings.batch_size, "device": settings.device}
    try:
        engine = registry.get_model(settings.model)
    except ValueError:
        # Filled by `get_model`, which also raised this.
        known = sorted(registry.model_registry.keys())
        raise InputError(
            f"`--model` is {settings.model!r}, which lm_eval does not have.{did_you_mean(settings.model, known)} "
            f"Accepted: {', '.join(known)}."
        ) from None
    except ImportError as error:
        raise _package_is_missing(settings.model, error) from None
    _check_arguments(settings.model, engine, model_args)
    try:
        lm = engine.create_from_arg_obj(dict(model_args), options)
    except InputError:
        raise
    except ImportError as error:
        raise _package_is_missing(settings.model, error) from None
    except (OSError, ValueError, AssertionError) as error:
        # transformers: no such folder or repository, no model in it; engines: missing or impossible settings.
        raise _cannot_be_loaded(settings, model_args, error) from None
    except (TypeError, AttributeError, RuntimeError) as error:
        if not _ABOUT_ARGUMENTS.search(str(error)):
            raise
        raise _cannot_be_loaded(settings, model_args, error) from None
    check_device(settings.device, lm)
    return lm


def _check_arguments(model: str, engine: Any, model_args: Mapping[str, Any]) -> None:
    """Refuse what the engine's constructor would complain about in its own words.

    Engines pass on arguments that they do not know, so that only one is refused that is nearly a known one.
    """
    parameters = inspect.signature(engine.__init__).parameters
    accepted = [name for name in parameters if name not in ("self", "args", "kwargs")]
    needed = [name for name in accepted if parameters[name].default is inspect.Parameter.empty]
    missing = [name for name in needed if name not in model_args]
    for name in model_args:
        near = did_you_mean(name, accepted)
        if name not in accepted and near and (missing or "kwargs" not in parameters):
            raise InputError(f"`--model_args {name}=...`: `--model {model}` takes no such argument.{near}")
    if missing:
        raise InputError(
            f"`--model_args`: `--model {model}` needs {' and '.join(f'`{name}`' for name in missing)}. Give for "
            f"example `--model_args {missing[0]}=Qwen/Qwen3-0.6B`."
        )


_ABOUT_ARGUMENTS = re.compile(
    r"missing \d+ required .*argument|unexpected keyword argument"  # TypeError of a constructor
    r"|module 'torch' has no attribute"  # AttributeError of dtype=...
    r"|CUDA|NVIDIA|MPS"  # RuntimeError of a device that is missing or full
)


def _package_is_missing(model: str, error: ImportError) -> InputError:
    return InputError(
        f"`--model {model}` needs a package that is not installed: {_first_line(error)}. Install it, for example "
        f"with `pip install 'lm_eval[{model}]'`, or choose another engine."
    )


def _cannot_be_loaded(
    settings: RunSettings, model_args: Mapping[str, Any], error: BaseException
) -> InputError:
    # Only the name: other arguments may be secrets.
    name = next((str(model_args[key]) for key in ("pretrained", "model") if key in model_args), "")
    looks_local = name.startswith(("/", "./", "../", "~"))
    if looks_local and not Path(name).expanduser().exists():
        return InputError(
            f"`--model_args pretrained={name}`: there is no such folder. Give a folder that holds a model, or a "
            "Hub id such as Qwen/Qwen3-0.6B."
        )
    named = f" {name!r}" if name else ""
    # A run keeps the path that it was given, which may have been relative to another folder.
    nowhere = "" if Path(name).exists() else " The working folder has no such folder either."
    return InputError(
        f"lm_eval could not load the model{named} with `--model {settings.model}` (device "
        f"{settings.device}): {_first_line(error)}.{nowhere} Check `--model`, `--model_args` and `--device`."
    )


def _first_line(error: BaseException) -> str:
    """The first line of a message, without its full stop; the type where there is no message."""
    lines = str(error).strip().splitlines()
    return (lines[0][:300] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def _without_git() -> Iterator[None]:
    """lm_eval asks git for the commit of the working folder, and outside of a repository git complains on stderr.

    Nothing here keeps that commit.
    """
    from lm_eval import evaluator

    asked = evaluator.get_git_commit_hash
    evaluator.get_git_commit_hash = lambda: None
    try:
        yield
    finally:
        evaluator.get_git_commit_hash = asked


@contextlib.contextmanager
def _ladder_folder(pairs: Iterable[Pair]) -> Iterator[Path]:
    """The pairs as a ladder on disk, where the tasks look for it."""
    with tempfile.TemporaryDirectory(prefix="lm_eval_sensitivity_") as temporary:
        folder = Path(temporary) / LADDER_NAME
        write_parquet(pairs, folder / f"{LADDER_NAME}.parquet")
        yield folder
