# Tests. Every target here may be called alone; `make check` is all of them that fit into fifteen minutes.
#
#   make unit [T=ws]          unit tests (of one folder, or one file)
#   make asan, make tsan      unit and integration tests under the sanitizers
#   make fuzz-smoke           every fuzz target for a moment over its corpus
#   make format-check tidy headers layers    the house rules

# --- unit tests: tests/unit/FOLDER_TOPIC.c, linked with src/FOLDER and everything below it -----------------------------

T ?=
UNIT_SOURCES := $(wildcard tests/unit/*_*.c)
UNIT_CHOSEN  := $(if $(T),$(wildcard tests/unit/$(T).c tests/unit/$(T)_*.c),$(UNIT_SOURCES))
unit_folder   = $(firstword $(subst _, ,$(notdir $(basename $(1)))))
unit_archives = $(foreach f,$(call reverse,$(filter $(FOLDERS),$(call upto,$(call unit_folder,$(1)),$(ORDER)))),$(call archive,$(f)))
unit_binary   = $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(1))

define unit_rule
$(call unit_binary,$(1)): $(1) $(call unit_archives,$(1)) $(OUT)/flags
	@mkdir -p $$(@D)
	@echo "  TEST  $(1)"
	$$(Q)$$(CC) $$(CFLAGS_ALL) -Itests/unit -MMD -MP -o $$@ $(1) -Wl,--start-group $(call unit_archives,$(1)) -Wl,--end-group $$(LDFLAGS_ALL) $$(LIBS) -lcmocka
endef
$(foreach t,$(UNIT_SOURCES),$(eval $(call unit_rule,$(t))))

# What a test replaces at link time.
$(OUT)/tests/front_memory $(OUT)/tests/relay_memory: LDFLAGS += -Wl,--wrap=malloc -Wl,--wrap=calloc

.PHONY: unit
unit: $(foreach t,$(UNIT_CHOSEN),$(call unit_binary,$(t)))
	@set -e; for t in $^; do CMOCKA_MESSAGE_OUTPUT=stdout TSAN_OPTIONS=suppressions=tests/lint/tsan.txt $$t > $$t.log 2>&1 || { cat $$t.log; echo "FAILED: $$t"; exit 1; }; \
	  sed -n 's/^\[  PASSED  \] /  ok    /p' $$t.log | sed "s|\$$| $$(basename $$t)|"; done

# --- fuzz targets: tests/fuzz/FOLDER_TOPIC.c with a corpus in tests/data/corpus/FOLDER_TOPIC ---------------------------

FUZZ_SECONDS ?= 8
FUZZ_SOURCES := $(wildcard tests/fuzz/*_*.c)
fuzz_binary   = $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(1))

ifeq ($(VARIANT),fuzz)
define fuzz_rule
$(call fuzz_binary,$(1)): $(1) $(call unit_archives,$(1)) $(OUT)/flags
	@mkdir -p $$(@D)
	@echo "  FUZZ  $(1)"
	$$(Q)$$(CC) $$(CFLAGS_ALL) -fsanitize=fuzzer -Itests/unit -MMD -MP -o $$@ $(1) -Wl,--start-group $(call unit_archives,$(1)) -Wl,--end-group $$(LDFLAGS_ALL) $$(LIBS)
endef
$(foreach t,$(FUZZ_SOURCES),$(eval $(call fuzz_rule,$(t))))

FUZZ_NAMES := $(notdir $(basename $(FUZZ_SOURCES)))
.PHONY: fuzz-run $(FUZZ_NAMES:%=fuzz-run-%)
fuzz-run: $(FUZZ_NAMES:%=fuzz-run-%)
$(FUZZ_NAMES:%=fuzz-run-%): fuzz-run-%: $(OUT)/fuzz/%
	@mkdir -p $(OUT)/corpus/$* $(OUT)/crashes tests/data/corpus/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -artifact_prefix=$(OUT)/crashes/$*- \
	    $(OUT)/corpus/$* tests/data/corpus/$* > $<.log 2>&1 || { tail -n 40 $<.log; echo "FAILED: $<"; exit 1; }
	@echo "  ok    fuzz $*: $$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' $<.log)"
endif

.PHONY: fuzz-smoke fuzz
fuzz-smoke:
	@$(MAKE) --no-print-directory $(PARALLEL) VARIANT=fuzz fuzz-run
fuzz:
	@$(MAKE) --no-print-directory $(PARALLEL) VARIANT=fuzz FUZZ_SECONDS=600 fuzz-run

include tests/lint/lint.mk
include tests/check.mk
include tests/bench/bench.mk
