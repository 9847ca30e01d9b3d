"""From two outputs to numbers, each missing one with its reason."""
