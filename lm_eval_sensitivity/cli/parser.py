"""The parser of all commands: an option or a name that is none gets a sentence with the nearest that is accepted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from lm_eval_sensitivity.errors import did_you_mean
from lm_eval_sensitivity.text.escape import shown


class CommandParser(argparse.ArgumentParser):
    """argparse's own, with sentences of this package; each command's parser refuses what it does not know."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does, but what is left over is refused here, where the options of the command are known.

        Args:
            args: without the program's name.
            namespace: to fill.

        Returns:
            The namespace, and an empty list.
        """
        found, unknown = super().parse_known_args(args, namespace)
        rest = [action for action in self._positionals._group_actions if action.nargs in ("*", "+")]
        if rest and not any(each.startswith("-") for each in unknown):
            # argparse fills a list from the words before the first option, and has no use for those behind it.
            given = [self._get_value(rest[-1], each) for each in unknown]
            setattr(found, rest[-1].dest, [*(getattr(found, rest[-1].dest) or ()), *given])
            unknown = []
        if unknown:
            self.exit(2, f"{self.prog}: {self._refused(unknown)}\n")
        return found, unknown

    def _refused(self, unknown: Sequence[str]) -> str:
        # Values may be secrets.
        options = [each.split("=", 1)[0] for each in unknown if each.startswith("-") and len(each) > 1]
        if not options:
            return (
                f"{shown(unknown[0])} is one argument too many. `{self.prog} --help` says what is accepted."
            )
        accepted = [name for name in self._option_string_actions if name.startswith("--")]
        return (
            f"{shown(options[0])} is no option of this command.{did_you_mean(options[0], accepted)} Accepted: "
            f"{', '.join(accepted)}."
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            accepted = [str(each) for each in action.choices]
            words = f"{shown(str(value))} is not accepted; accepted: {', '.join(accepted)}."
            raise argparse.ArgumentError(action, words + did_you_mean(str(value)[:80], accepted))
