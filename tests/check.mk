# The program from outside, what all of it needs, and everything at once.
#
#   make deps, make test-deps       install what building, what testing needs (apt-get or dnf, and npm)
#   make integration [T=http]       the program from outside (of one file: tests/integration/test_http.py)
#   make browser [T=novnc]          end to end: a real browser, noVNC, telnet, SSH, MQTT

.PHONY: deps test-deps
deps:
	@packaging/deps.sh build

test-deps:
	@packaging/deps.sh test
	@$(MAKE) -s --no-print-directory $(NODE_STAMP)

# Exact versions, from the lock file alone. The folder is not in git.
NODE_STAMP := tests/browser/node_modules/.package-lock.json
$(NODE_STAMP): tests/browser/package.json tests/browser/package-lock.json
	@echo "  NPM   tests/browser"
	@cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --loglevel=error --ignore-scripts --no-audit --no-fund --no-update-notifier
	@touch $@

# --- from outside -----------------------------------------------------------------------------------------------------
# Sanitizers make the program several times slower: the sizes that tests move shrink with WSBRIDGE_SLOW.

# Most tests wait more than they work, so more of them run at once than there are cores; PYTEST_JOBS=0: one by one.
PYTEST_JOBS ?= $(shell echo $$(($(JOBS) + 1)))
PYTEST      := /usr/bin/python3 -m pytest -q -p no:cacheprovider -c tests/pytest.ini
SLOW        := $(if $(filter asan,$(VARIANT)),4,$(if $(filter tsan,$(VARIANT)),8,1))
SAN_OPTIONS := ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
               TSAN_OPTIONS=suppressions=$(abspath tests/lint/tsan.txt):second_deadlock_stack=1:atexit_sleep_ms=0
OUTSIDE      = WSBRIDGE=$(abspath $(OUT)/wsbridge) WSBRIDGE_VARIANT=$(VARIANT) WSBRIDGE_SLOW=$(SLOW) $(SAN_OPTIONS) PYTHONDONTWRITEBYTECODE=1

.PHONY: integration browser
integration: $(OUT)/wsbridge
	@$(OUTSIDE) $(PYTEST) -n $(PYTEST_JOBS) $(if $(T),tests/integration/test_$(T).py,tests/integration) $(PYTEST_ARGS)

browser: $(OUT)/wsbridge $(NODE_STAMP)
	@$(OUTSIDE) $(PYTEST) $(if $(T),tests/browser/test_$(T).py,tests/browser) $(PYTEST_ARGS)

.PHONY: asan tsan
asan tsan:
	@$(MAKE) --no-print-directory $(PARALLEL) VARIANT=$@ all
	@$(MAKE) --no-print-directory $(PARALLEL) VARIANT=$@ unit T=
	@$(MAKE) --no-print-directory VARIANT=$@ integration T=

# --- all of it --------------------------------------------------------------------------------------------------------

.PHONY: check
check: test-deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@MAKE='$(MAKE)' JOBS='$(JOBS)' tests/check.sh $(CHECKS)
