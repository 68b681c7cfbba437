# make run    set up, then the main job: the sample desk from raw files to a page in your browser
# make test   set up, then the ordinary tests
# The set-up happens once; a stamp in .venv says that it is done. It asks nothing.

VENV := .venv
PEERS := .venv-bench
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
BROWSER := $(VENV)/.browser
COMPILER := $(VENV)/.compiler
DATABASE := $(VENV)/.database
FONT := $(VENV)/.font
EXTRAS := documents,curate,tune,evaluate,govern,export,serve,desk,postgres,retrieve,demo,dev
ARGS ?=
PYTEST_ARGS ?=
PARTS ?=
QUICK ?=
MINUTES ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test test-all check format bench bench-tune bench-serve bench-soak bench-plan bench-curate bench-retrieve bench-desk pictures test-snowflake test-oidc setup clean

help:
	@echo "make run        set up, then bring the sample desk to a page at http://127.0.0.1:8080  (ARGS=--no-serve stops before)"
	@echo "make test       set up, then the ordinary tests"
	@echo "make test-all   the slow tests too"
	@echo "make test-snowflake the copy in a warehouse, through Snowflake's own driver"
	@echo "make test-oidc  signing in through a certified provider (needs node and npm)"
	@echo "make check      format, lint, types, layers, generated documents"
	@echo "make format     put the code into the one form"
	@echo "make bench-tune training beside TRL and Hugging Face (QUICK=1: ten minutes)"
	@echo "make bench-serve serving beside llama.cpp, Hugging Face, vLLM (DESK=DIR, QUICK=1: ten minutes)"
	@echo "make bench-soak a server under load for ten minutes (DESK=DIR, MINUTES=10)"
	@echo "make bench-plan how wrong the plan is, and what other planners say"
	@echo "make bench-curate near-duplicates beside rensa, datasketch, datatrove (QUICK=1: ten minutes; else 30 GB)"
	@echo "make bench-retrieve search on JSQuAD and at size (DATA=FILE, QUICK=1: ten minutes)"
	@echo "make bench-desk fifty people typing at the desk, first paint, the difference in a browser"
	@echo "make pictures   every page of the desk into docs/pictures"
	@echo "make bench      tokens a second of the engine (ARGS=\"BASE-FOLDER ADAPTER-FOLDER\")"
	@echo "make setup      the set-up alone"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@python=$$(scripts/find-python) && \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV) || { echo "make: $$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2; }; \
	fi
	@echo "Installing the pinned packages (once; some minutes and about 2 GB)"
	@$(BIN)/python scripts/install.py constraints.txt $(VENV)/install.log -e '.[$(EXTRAS)]'
	@touch $@

$(BROWSER): scripts/debian-packages
	@mkdir -p $(VENV)
	@scripts/debian-packages "the browser tests" chromium fonts-noto-cjk
	@touch $@

$(DATABASE): scripts/debian-packages
	@mkdir -p $(VENV)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || scripts/debian-packages "the tests on PostgreSQL" postgresql
	@touch $@

# A font that may be put into a PDF: one of the sample reports carries it, as most reports do.
$(FONT): scripts/debian-packages
	@mkdir -p $(VENV)
	@scripts/debian-packages "the tests of embedded fonts" fonts-ipafont-gothic
	@touch $@

# The engine's passes are C++, built on first use; without a compiler torch computes them, several times slower.
$(COMPILER): scripts/debian-packages
	@mkdir -p $(VENV)
	@command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1 || \
		scripts/debian-packages "the fast passes of the engine" g++
	@touch $@

run: $(STAMP) $(COMPILER)
	@$(BIN)/tensaku demo $(ARGS)

test: $(STAMP) $(BROWSER) $(FONT) $(COMPILER) $(DATABASE)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-all: $(STAMP) $(BROWSER) $(FONT) $(COMPILER) $(DATABASE)
	@$(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_ARGS)

# Snowflake's driver wants other versions than ours, and fakesnow an older driver: an environment each.
.venv-snowflake/.set-up .venv-fakesnow/.set-up: .venv-%/.set-up: tests/ledger/%-requirements.txt | $(STAMP)
	@$(BIN)/python -m venv --clear .venv-$*
	@echo "Installing the packages of $< (once)"
	@.venv-$*/bin/python -m pip install -q -r $<
	@touch $@

test-snowflake: $(STAMP) .venv-snowflake/.set-up .venv-fakesnow/.set-up
	@TENSAKU_SNOWFLAKE_PYTHON=$(CURDIR)/.venv-snowflake/bin/python TENSAKU_FAKESNOW_PYTHON=$(CURDIR)/.venv-fakesnow/bin/python \
		$(BIN)/python -m pytest -m snowflake tests/ledger/test_warehouse.py $(PYTEST_ARGS)

# A certified OpenID Connect provider, in JavaScript: a folder of its own, pinned to the last package.
.oidc-provider/.set-up: tests/desk/oidc/package.json tests/desk/oidc/package-lock.json
	@command -v npm >/dev/null || { echo "make: test-oidc needs node and npm; on Debian: apt-get install nodejs npm" >&2; exit 2; }
	@mkdir -p $(@D) && cp $^ $(@D)
	@echo "Installing the provider (once)"
	@cd $(@D) && npm ci --no-audit --no-fund --silent
	@touch $@

test-oidc: $(STAMP) $(BROWSER) .oidc-provider/.set-up
	@$(BIN)/python -m pytest -m oidc tests/desk/test_oidc_certified.py $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests benchmarks scripts
	$(BIN)/lint-imports
	@if [ -e src/tensaku/docs.py ] || [ -d src/tensaku/docs ]; then set -x; $(BIN)/python -m tensaku.docs --check; fi

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) $(COMPILER)
	@$(BIN)/python benchmarks/serve_quick.py $(ARGS)

$(PEERS)/.set-up: constraints.txt benchmarks/tune/requirements.txt | $(STAMP)
	@$(BIN)/python -m venv --clear $(PEERS)
	@echo "Installing what the benchmark compares with (once)"
	@$(PEERS)/bin/python scripts/install.py constraints.txt $(PEERS)/install.log -r benchmarks/tune/requirements.txt
	@touch $@

bench-tune: $(STAMP) $(PEERS)/.set-up
	@$(BIN)/python -m benchmarks.tune.run --peers $(PEERS)/bin/python $(if $(QUICK),--quick) $(if $(PARTS),--parts $(PARTS))

bench-serve: $(STAMP) $(COMPILER) $(PEERS)/.set-up
	@test -n "$(DESK)" || { echo 'Name a workspace where "tensaku demo DIR --no-serve" was run: make bench-serve DESK=DIR'; exit 2; }
	@$(BIN)/python -m benchmarks.serve.run --desk $(DESK) --peers $(PEERS)/bin/python $(if $(VLLM),--vllm $(VLLM)) $(if $(QUICK),--quick) $(if $(PARTS),--parts $(PARTS))

bench-soak: $(STAMP) $(COMPILER)
	@test -n "$(DESK)" || { echo 'Name a workspace where "tensaku demo DIR --no-serve" was run: make bench-soak DESK=DIR'; exit 2; }
	@$(BIN)/python -m benchmarks.serve.soak --desk $(DESK) $(if $(MINUTES),--minutes $(MINUTES))

bench-plan: $(STAMP)
	@$(BIN)/python -m benchmarks.plan.run $(ARGS)

# The peers of curation are a set of their own: datatrove wants other packages than the peers of training.
.venv-curate/.set-up: benchmarks/curate/requirements.txt | $(STAMP)
	@$(BIN)/python -m venv --clear .venv-curate
	@.venv-curate/bin/python -m pip install -q -r benchmarks/curate/requirements.txt
	@touch $@

bench-curate: $(STAMP) .venv-curate/.set-up
	@$(BIN)/python -m benchmarks.curate.run --peers .venv-curate/bin/python $(if $(QUICK),--quick) $(CURATE_ARGS)

# Haystack, beside which search is measured, has packages of its own.
.venv-retrieve/.set-up: benchmarks/retrieve/requirements.txt | $(STAMP)
	@$(BIN)/python -m venv --clear .venv-retrieve
	@.venv-retrieve/bin/python -m pip install -q -r benchmarks/retrieve/requirements.txt
	@touch $@

bench-retrieve: $(STAMP) .venv-retrieve/.set-up
	@$(BIN)/python -m benchmarks.retrieve.run --peer .venv-retrieve/bin/python $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(ARGS)

bench-desk: $(STAMP) $(BROWSER)
	@$(BIN)/python -m benchmarks.desk.load $(ARGS)

pictures: $(STAMP) $(BROWSER)
	@$(BIN)/python scripts/desk_screenshots.py docs/pictures $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS) .venv-curate .venv-retrieve .venv-snowflake .venv-fakesnow .oidc-provider build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis src/*.egg-info
