"""Engines: what turns a plan of prompts into outputs. Text is what every one gives; `hf` shows its inside."""
