"""Pictures and numbers of the traps, for docs/traps.md: `python -m tests.traps.pictures docs/images/traps`."""
