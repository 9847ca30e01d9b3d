"""The engine `--model hf`: one pass gives text, token ids, logits and hidden states."""
