"""From requests to outputs, whatever the engine: plan, batches, response store, prompt ends, views."""
