# Two commands matter: `make demo` and `make test`. Both create the environment first; the only thing they
# need is Python 3.10 or newer and a package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUTPUT ?= runs/demo

.PHONY: help demo panel test test-slow lint docs ladder demo-model benchmark clean

help:  ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# A CPU build of PyTorch where the index has one; the constraints pin what the tests ran on.
$(STAMP): pyproject.toml constraints.txt $(wildcard tasks/prompt_sensitivity/*.yaml) $(wildcard datasets/prompt_sensitivity_ladder/*/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all,test,lint,browser,docs]"
	touch $@

demo: $(STAMP)  ## measure the embedded demonstration model and print lm_eval's table
	$(BIN)/lm_eval --tasks prompt_sensitivity_mini --model hf \
		--model_args pretrained=$$($(BIN)/lm-eval-sensitivity demo-model) --device cpu \
		--apply_chat_template --batch_size 16 --output_path $(OUTPUT) --log_samples

panel: $(STAMP)  ## measure six small systems and make their report
	for bits in 8 4 3; do test -d runs/models/model-$${bits}bit || $(BIN)/lm-eval-sensitivity round \
		$$($(BIN)/lm-eval-sensitivity demo-model) runs/models --bits $$bits || exit 1; done
	DEMO=$$($(BIN)/lm-eval-sensitivity demo-model) $(BIN)/lm-eval-sensitivity panel examples/panel.yaml

test: $(STAMP)  ## run the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(STAMP)  ## what `make test` leaves out because it takes long; with models, as docs/probes.md says
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)  ## format check, linter and type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)  ## write what is computed in docs/, and the site: site/index.html
	$(BIN)/python -m lm_eval_sensitivity.metrics > docs/metrics.md
	$(BIN)/python -m lm_eval_sensitivity.glossary > docs/glossary.md
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/pages.py build/docs
	$(BIN)/zensical build --clean --strict

ladder: $(STAMP)  ## rebuild the ladder's parquet from its sources
	$(BIN)/python -m lm_eval_sensitivity.ladder

demo-model: $(STAMP)  ## train the demonstration model again
	$(BIN)/python -m lm_eval_sensitivity.demo.train --output lm_eval_sensitivity/demo/model --overwrite

benchmark: $(STAMP)  ## compare the suite's cost with plain generation, on this machine
	$(BIN)/python -m benchmarks.overhead

clean:  ## remove the environment and caches
	rm -rf $(VENV) dist build site .cache .pytest_cache .mypy_cache .ruff_cache
