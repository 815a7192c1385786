# cryptopipe: one command per intention. `make help` lists them.
# Variables: PYTHON names the interpreter to build .venv from, ARGS goes to the program or to pytest.

BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
RUN_READY := .venv/ready-run
DEV_READY := .venv/ready-dev
FUZZ := build/fuzz/venv
FREQTRADE := build/freqtrade
CLIENTS := build/clients
WEBCHART := build/webchart
SETUP_INPUTS := pyproject.toml build_spec/setup.sh build_spec/bootstrap.py build_spec/apt.sh

.PHONY: help setup setup-dev run demo test deeptest crash faultkills soak quotesoak fuzz roundtrip importcrash lakecrash alertcrash drawingcrash workspacecrash flood freqtrade clients openapi webchart lint types bench screenshot package requirements clean moved
.DEFAULT_GOAL := help

# What was compiled once serves every start: where the environment forbids to keep it, each takes a second longer.
unexport PYTHONDONTWRITEBYTECODE

# A clone that was moved holds scripts with the old address: .venv/ready-* remember where they were made.
ifneq ($(strip $(shell cat $(RUN_READY) 2>/dev/null)),$(CURDIR))
$(RUN_READY): moved
endif
ifneq ($(strip $(shell cat $(DEV_READY) 2>/dev/null)),$(CURDIR))
$(DEV_READY): moved
endif

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(RUN_READY) ## make .venv with the pinned packages and check the system libraries

run: setup ## open the window on the live feed, with the embedded database
	@$(BIN)/cryptopipe $(ARGS)

demo: setup ## open the window on the simulated market: no internet needed
	@$(BIN)/cryptopipe --demo $(ARGS)

test: setup-dev ## run all tests, without a display
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not benchmark" -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

deeptest: export TEST_DEPTH = deep
deeptest: test ## run all tests with all examples, kills, kinds of faults, earlier versions and editions they have

crash: setup-dev ## kill the writer 100 times and the database 50 times under load, then compare all that is stored
	PYTHONPATH=. $(BIN)/python tests/soak/recorder/crash.py $(ARGS)

faultkills: setup-dev ## kill a recorder in the middle of each of some sixty kinds of faults, then compare every trade
	FAULT_KILLS=all PYTHONPATH=. $(BIN)/python -m pytest -q --timeout 3600 tests/faults/test_kills.py

soak: setup-dev ## an hour of 1,000 random faults against the feed and the database, then compare every trade
	PYTHONPATH=. $(BIN)/python tests/soak/feed/feed.py $(ARGS)

quotesoak: setup-dev ## half an hour of random faults against two recorders of quotes, then compare every tick
	PYTHONPATH=. $(BIN)/python tests/soak/feed/quotes.py $(ARGS)

fuzz: setup-dev ## a million inputs to each decoder by a coverage-guided fuzzer; needs an index of packages, for atheris
	test -x $(FUZZ)/bin/python || $(BIN)/python -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet "atheris>=3" "msgspec>=0.22"
	@set -e; for target in frame answer; do \
	    PYTHONPATH=. $(FUZZ)/bin/python -m tests.fuzz.decode_atheris $$target --corpus build/fuzz/corpus \
	        --recordings ../shared/data -runs=1000000 -max_len=4096 -artifact_prefix=build/fuzz/ $(ARGS); done

roundtrip: setup-dev ## export 5M trades and 1M candles in every format, import each file, and compare all rows
	PYTHONPATH=. $(BIN)/python tests/soak/files/round_trip.py $(ARGS)

importcrash: setup-dev ## kill an import of archives, or the database under it, 20 times, then compare all that is stored
	PYTHONPATH=. $(BIN)/python tests/soak/files/import_crash.py $(ARGS)

lakecrash: setup-dev ## kill pushes into a lake and pulls out of it 20 times with 5M trades, then compare all that came back
	PYTHONPATH=. $(BIN)/python tests/soak/files/lake_crash.py $(ARGS)

alertcrash: setup-dev ## kill a recorder that judges alerts 100 times, then prove every firing
	ALERT_KILLS=100 PYTHONPATH=. $(BIN)/python -m pytest -q --timeout 3600 tests/commands/alerts/test_alerts_recorded.py -k kills

drawingcrash: setup-dev ## kill a desktop that draws 50 times, let two draw at once, and compare what they show
	PYTHONPATH=. $(BIN)/python tests/soak/desktop/drawing_crash.py $(ARGS)

workspacecrash: setup-dev ## kill the window 50 times while its workspaces change, and compare what each start restores
	PYTHONPATH=. $(BIN)/python -m tests.soak.desktop.workspace_crash $(ARGS)

flood: setup-dev ## a thousand live clients for a minute, and 50 that do not read: nobody loses a trade, nor the database
	PYTHONPATH=. $(BIN)/python -m tests.benchmarks.serving.bench_live 1000 100 60 50

freqtrade: setup-dev ## freqtrade reads the files of its preset, and a served recording; needs an index of packages, for freqtrade
	test -x $(FREQTRADE)/venv/bin/python || $(BIN)/python -m venv $(FREQTRADE)/venv
	$(FREQTRADE)/venv/bin/python -m pip install --quiet "freqtrade==2026.9"
	PYTHONPATH=. $(BIN)/python -m tests.peers.freqtrade_files $(FREQTRADE)/files $(ARGS)
	$(FREQTRADE)/venv/bin/python tests/peers/freqtrade_reader.py $(FREQTRADE)/files
	PYTHONPATH=. $(BIN)/python -m tests.peers.served_recording $(FREQTRADE) $(FREQTRADE)/venv/bin/python freqtrade_served_reader

clients: setup-dev ## other people's clients of Binance read a served recording; needs an index of packages, for these
	test -x $(CLIENTS)/venv/bin/python || $(BIN)/python -m venv $(CLIENTS)/venv
	$(CLIENTS)/venv/bin/python -m pip install --quiet "ccxt==4.5.90" "python-binance==1.0.37"
	PYTHONPATH=. $(BIN)/python -m tests.peers.served_recording $(CLIENTS) $(CLIENTS)/venv/bin/python served_reader
	test -x $(CLIENTS)/feeds/bin/python || $(BIN)/python -m venv $(CLIENTS)/feeds
	$(CLIENTS)/feeds/bin/python -m pip install --quiet "binance-connector==3.13.0" "cryptofeed==2.4.1"
	PYTHONPATH=. $(BIN)/python -m tests.peers.served_recording --tls $(CLIENTS) $(CLIENTS)/feeds/bin/python served_feed_reader

openapi: setup-dev ## schemathesis asks all that the description of the server has; needs an index of packages, for it
	test -x $(CLIENTS)/openapi/bin/python || $(BIN)/python -m venv $(CLIENTS)/openapi
	$(CLIENTS)/openapi/bin/python -m pip install --quiet "schemathesis==4.32.5"
	PYTHONPATH=. $(BIN)/python -m tests.peers.described_server $(CLIENTS)/openapi/bin/schemathesis 120

webchart: setup-dev ## lightweight-charts in Chromium reads a served recording; needs npm and its index of packages
	npm install --prefix $(WEBCHART) --silent --no-save --no-audit --no-fund --ignore-scripts lightweight-charts@5.2.1
	PYTHONPATH=. $(BIN)/python -m tests.peers.web_chart $(WEBCHART)

lint: setup-dev ## check the format, the code and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: setup-dev ## check the types
	$(BIN)/mypy
	$(BIN)/mypy build_spec/bootstrap.py build_spec/smoke.py

bench: setup-dev ## print what each benchmark measures
	@set -e; for script in tests/benchmarks/*/bench_*.py; do \
	    echo "== $$script"; PYTHONPATH=. QT_QPA_PLATFORM=offscreen $(BIN)/python "$$script"; done

screenshot: setup-dev ## draw the window in each of its states into build/screenshots
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tests.screenshots $(ARGS)

package: setup-dev ## build dist/cryptopipe, a folder that runs without Python, and start it once
	$(BIN)/pyinstaller --noconfirm --log-level WARN --distpath dist --workpath build/pyinstaller build_spec/cryptopipe.spec
	$(BIN)/python build_spec/smoke.py dist/cryptopipe

requirements: ## pin the newest packages that pyproject.toml allows, with their hashes
	sh build_spec/pin.sh

clean: ## remove what was built, and .venv
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

setup-dev: $(DEV_READY)

$(RUN_READY): requirements.txt $(SETUP_INPUTS)
	@sh build_spec/setup.sh run
	@echo "$(CURDIR)" > $@

$(DEV_READY): requirements-dev.txt requirements.txt $(SETUP_INPUTS)
	@sh build_spec/setup.sh dev
	@echo "$(CURDIR)" | tee $(RUN_READY) > $@
