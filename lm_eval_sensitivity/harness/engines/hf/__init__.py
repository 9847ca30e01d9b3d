"""Parts of the engine for transformers models: one pass gives text, token ids, logits and hidden states."""
