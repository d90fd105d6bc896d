# Two commands are all: `make judge` sets up and judges real code on real data, `make test` sets up and runs the tests.
PYTHON ?= python3
BIN := .venv/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: judge test long lint types docs bench peers proofs vectors mutants gpu clean

judge: .venv/core
	$(BIN)/python examples/judge.py

test: .venv/test
	$(BIN)/python -m pytest -n 2 --dist worksteal

long: .venv/test        # what grows with the project: all planted slips, the judge on whole suites
	$(BIN)/python -m pytest -q -m long -n 2 --dist worksteal

lint: .venv/dev
	$(BIN)/ruff check .

types: .venv/dev        # on the built package: type checkers do not follow an editable install
	rm -rf build/typed
	$(BIN)/pip install -q --no-deps --target build/typed .
	MYPYPATH=build/typed $(BIN)/mypy -p stepgauge

docs: .venv/test        # every page that is generated: the tests compare the committed ones with these
	$(BIN)/python tests/judged/bands_table.py
	$(BIN)/python tests/judged/strangers_table.py
	$(BIN)/python tests/counting/table.py
	$(BIN)/python tests/grouped/invariance.py
	$(BIN)/python examples/peers/page.py
	$(BIN)/python tests/docs/conventions_page.py
	$(BIN)/python tests/docs/pages.py

bench: .venv/plot       # median seconds and memory of a step beside its floor; set nothing else going on the machine
	$(BIN)/python benchmarks/steps.py --json benchmarks/steps.json
	$(BIN)/python benchmarks/summaries.py --json benchmarks/summaries.json
	$(BIN)/python benchmarks/subsampled.py --json benchmarks/subsampled.json --plot benchmarks/subsampled.png

peers: .venv/peers      # other libraries' code under the judge: rewrites examples/results/peers.json; then make docs
	$(BIN)/python examples/peers/run.py

proofs: .venv/test      # every statement of both works and its wrong forms; rewrites ledger.json, timings.json and docs/truth.md
	$(BIN)/python -m stepgauge.proofs_check.ledger proofs_check
	$(BIN)/python -m stepgauge.proofs_check.page > docs/truth.md

vectors: .venv/test     # every bit of verify/vectors/data anew; VERSION in verify/vectors/build.py must say what has changed
	$(BIN)/python -m stepgauge.verify.vectors.build verify/vectors/data

MUTANTS ?= 200
mutants: .venv/test     # so many wrong places of reference and verify, or all: the tests must see nine in ten
	$(BIN)/python tests/mutants/score.py $(MUTANTS)

gpu: .venv/test         # the judge on a real CuPy; writes docs/gpu.txt, which is committed
	$(BIN)/pip install -q -e '.[cupy]'
	$(BIN)/python -m pytest -q tests/guard/test_real_cupy.py
	$(BIN)/python tests/guard/gpu.py

clean:
	rm -rf .venv build stepgauge.egg-info

.venv/core: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e .
	touch $@

.venv/test: .venv/core
	$(BIN)/pip install -q -e '.[test]'
	touch $@

.venv/plot: .venv/test
	$(BIN)/pip install -q -e '.[plot]'
	touch $@

.venv/peers: .venv/test # what asks for some torch gets the one named here, and nothing that its other dependencies would pull
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q -e '.[peers]'
	$(BIN)/pip install -q --no-deps pytorch_optimizer asdfghjkl==0.1a5 backpack-for-pytorch unfoldNd curvlinops-for-pytorch \
		einconv linear_operator
	touch $@

.venv/dev: .venv/test
	$(BIN)/pip install -q -e '.[dev]'
	touch $@
