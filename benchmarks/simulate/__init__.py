"""Simulations with a known truth, and their recorded figures; see `__main__.py`."""
