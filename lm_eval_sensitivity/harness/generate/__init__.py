"""What every engine's outputs go through: plan, decoding settings, response store, prompt ends, views, token ends."""
