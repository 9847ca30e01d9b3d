"""What makes a ladder: sources, own prompts, checks, measurements, card, publication. No run imports this."""
