# The house rules, as checks.
#
#   make format-check         clang-format over the C files of src and tests (make format: rewrite them)
#   make headers              each header compiles alone, with gcc and clang
#   make layers               folders include downward only; banned functions, mutable globals, #if (tests/lint/layers.txt)
#   make tidy                 clang-tidy over every .c file of src that changed since it was last clean
#   make lint                 all of them

LINT_C       := $(sort $(wildcard src/*/*.c tests/*/*.c))
LINT_H       := $(sort $(wildcard src/*/*.h tests/*/*.h))
CLANG_FORMAT ?= clang-format
CLANG_TIDY   ?= clang-tidy
need          = @command -v $(1) >/dev/null || { echo "$@: $(1) is missing: apt-get install $(2)" >&2; exit 1; }

.PHONY: lint format format-check headers layers tidy
lint: layers format-check headers tidy

format format-check:
	$(call need,$(CLANG_FORMAT),clang-format)
	@$(CLANG_FORMAT) --style=file $(if $(filter format,$@),-i,--dry-run -Werror) $(LINT_C) $(LINT_H)
	@echo "  ok    $@: $(words $(LINT_C) $(LINT_H)) files"

# Each through a file of one line, so that static inline functions count as a header's and not as unused code.
headers:
	$(call need,gcc,gcc)
	$(call need,clang,clang)
	@printf '%s\n' $(LINT_H) | xargs -P$(JOBS) -I{} sh -c 'for cc in gcc clang; do \
	  echo "#include \"{}\"" | $$cc $(LINT_FLAGS) -fsyntax-only -x c - || { echo "headers: {} does not compile alone with $$cc" >&2; exit 1; }; done'
	@echo "  ok    headers: $(words $(LINT_H)) headers alone, gcc and clang"
LINT_FLAGS = -std=gnu11 -I. -Isrc -Itests/unit -D_GNU_SOURCE -DWSBRIDGE_VERSION=\"0\" -DWSBRIDGE_DEBUG=1 $(WARN)

layers:
	$(call need,/usr/bin/python3,python3)
	@/usr/bin/python3 tests/lint/layers.py

# One stamp a file, with the headers it reads, so that a second run looks at what changed only.
TIDY_STAMPS := $(patsubst src/%.c,$(BUILD)/tidy/%.ok,$(filter src/%,$(LINT_C)))
tidy:
	$(call need,$(CLANG_TIDY),clang-tidy)
	$(call need,clang,clang)
	@$(MAKE) --no-print-directory $(PARALLEL) -k tidy-files
	@echo "  ok    tidy: $(words $(TIDY_STAMPS)) files"

.PHONY: tidy-files
tidy-files: $(TIDY_STAMPS)
$(BUILD)/tidy/%.ok: src/%.c .clang-tidy
	@mkdir -p $(@D)
	@$(CLANG_TIDY) --quiet $< -- $(LINT_FLAGS) > $@.log 2>&1 || { grep -v 'warnings* generated' $@.log; exit 1; }
	@clang $(LINT_FLAGS) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@touch $@
-include $(wildcard $(BUILD)/tidy/*/*.d)
