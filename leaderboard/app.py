from lm_eval_sensitivity.space.app import serve_hub

serve_hub()
