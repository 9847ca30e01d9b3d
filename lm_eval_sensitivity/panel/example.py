"""The text of a `panel.yaml` for some models, with what else it may hold as remarks."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

_HEAD = """\
# lm-eval-sensitivity panel THIS_FILE             the same command again goes on where it was stopped
# lm-eval-sensitivity panel THIS_FILE --dry-run   says what it will take
# Paths are those of the working folder; ${NAME} is an environment variable.

output: runs/panel          # everything is written here

# One run of each system on each entry; an entry that is a list is one run of several tasks.
tasks: [prompt_sensitivity]

# Options of lm_eval, by their long names, for all systems. Tasks, folders and the response store are the panel's own.
defaults:
  model: hf
  batch_size: 16
  apply_chat_template: true
  # device: cuda
  # gen_kwargs: {max_gen_toks: 256}
  # metadata: {repeats: 3}

# executor: ray             # a Ray cluster instead of this machine: pip install "lm-eval-sensitivity[panel]"
# address: auto             # of that cluster; without it RAY_ADDRESS, else a Ray on this machine
# workers: 1                # systems at the same time, without Ray
# retries: 1                # further attempts of a run that was killed or wrote something incomplete
# report: false             # no report and no results folder at the end
# env: {HF_HUB_OFFLINE: "1"}   # environment variables of all runs

# A name is a folder and a label. `run` holds options of this system, which go before those above; null takes one away.
# Beside it a system may have `env`, and `gpus` and `cpus`, which Ray reserves for it.
systems:
"""


def example_panel(models: Sequence[str]) -> str:
    """A panel of these models, the first one the reference.

    Args:
        models: folders, Hub ids, or whatever lm_eval takes as `pretrained`.

    Returns:
        YAML with remarks.

    Example:
        >>> print(example_panel(["Qwen/Qwen3-4B"]).partition("systems:")[2])
        <BLANKLINE>
          - name: Qwen3-4B
            run: {model_args: {pretrained: Qwen/Qwen3-4B}}
        <BLANKLINE>
        reference: Qwen3-4B   # drift is measured from it; leave it out for none
        <BLANKLINE>
    """
    names = _names(models)
    entries = "".join(
        f"  - name: {_scalar(name)}\n    run: {{model_args: {{pretrained: {_scalar(model)}}}}}\n"
        for name, model in zip(names, models, strict=True)
    )
    return f"{_HEAD}{entries}\nreference: {_scalar(names[0])}   # drift is measured from it; leave it out for none\n"


def _names(models: Sequence[str]) -> list[str]:
    """Of folders and labels: the end of the model's name, numbered where two are alike."""
    names: list[str] = []
    for model in models:
        plain = (
            re.sub(r"[^A-Za-z0-9._+-]+", "-", model.rstrip("/").rpartition("/")[2]).strip("-._+")[:70]
            or "model"
        )
        taken = {name.lower() for name in names}
        names.append(
            next(
                name
                for number in range(1, len(models) + 1)
                if (name := plain if number == 1 else f"{plain}-{number}").lower() not in taken
            )
        )
    return names


def _scalar(text: str) -> str:
    """A text as YAML reads it back, inside braces."""
    plain: str = yaml.safe_dump([text], default_flow_style=True, width=10**6, allow_unicode=True)
    return plain.strip()[1:-1]
