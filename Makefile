# wsbridge
#
#   make run [TO=host:port]   install what is missing, build, start on port 6080
#   make check                install what the tests need, build, run every test
#   make help                 everything else
#
# Output goes to $(BUILD); variants (asan, tsan, ...) to their own folder below it.

BUILD   ?= build
VARIANT ?=
CC      ?= gcc
VERSION := $(shell cat packaging/VERSION)

# How much at once where a target starts make anew; what was said with -j counts more.
JOBS     ?= $(shell nproc)
PARALLEL  = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

comma := ,

# --- how to compile ---------------------------------------------------------------------------------------------------

OPT      ?= -O2 -g
WERROR   ?= -Werror
WARN     := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
            -Wpointer-arith -Wformat=2 -Wundef -Wno-unused-parameter -Wno-missing-field-initializers
# What is tested is what is installed: packages add nothing to these. CET is for x86; Debian 12's start-up files are not
# marked for it, so that the linker has to be told.
HARDEN   := -fstack-protector-strong -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LDHARDEN := -pie -Wl,-z,relro,-z,now,--as-needed
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
  HARDEN   += -fstack-clash-protection -fcf-protection=full
  LDHARDEN += $(if $(VARIANT),,-Wl$(comma)-z$(comma)ibt$(comma)-z$(comma)shstk)
endif
# The program's hot path goes through several layers in as many files: the linker may inline across them. Objects hold
# plain code as well, which is what the tests link.
LTO      := $(if $(VARIANT)$(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
SAN      :=
# 1: invariants are checked after every event
DEBUG    := 0

ifeq ($(VARIANT),asan)
  DEBUG := 1
  SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  OPT := -O1 -g
  HARDEN := -fPIE
endif
ifeq ($(VARIANT),tsan)
  DEBUG := 1
  SAN := -fsanitize=thread -fno-omit-frame-pointer
  OPT := -O1 -g
  HARDEN := -fPIE
endif
ifeq ($(VARIANT),fuzz)
  CC  := clang
  DEBUG := 1
  SAN := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  OPT := -O1 -g
  HARDEN := -fPIE
endif

OUT := $(BUILD)$(if $(VARIANT),/$(VARIANT))

CFLAGS_ALL  = -std=gnu11 -Isrc -D_GNU_SOURCE -DWSBRIDGE_VERSION='"$(VERSION)"' -DWSBRIDGE_DEBUG=$(DEBUG) $(OPT) $(WARN) $(HARDEN) $(SAN) -fno-strict-aliasing \
              -pthread $(CPPFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(SAN) $(LDHARDEN) -pthread $(LDFLAGS)
LIBS        = -lev -lyaml -lssl -lcrypto -lm

# --- what to compile --------------------------------------------------------------------------------------------------
# One archive a folder, in the order of the ranks (tests/lint/layers.txt); a test of a folder links that folder and those before it.

ORDER   := base obs http ws config net tls limit upstream auth route front relay serve app
FOLDERS := $(foreach f,$(ORDER),$(if $(wildcard src/$(f)/*.c),$(f)))
sources  = $(filter-out src/app/main.c,$(wildcard src/$(1)/*.c))
objects  = $(patsubst src/%.c,$(OUT)/obj/%.o,$(call sources,$(1)))
archive  = $(OUT)/lib/$(1).a
reverse  = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
upto     = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(if $(word 2,$(2)),$(call upto,$(1),$(wordlist 2,99,$(2)))))
ARCHIVES := $(foreach f,$(call reverse,$(FOLDERS)),$(call archive,$(f)))

.PHONY: all
all: $(OUT)/wsbridge

define archive_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

Q := $(if $(V),,@)
$(OUT)/obj/%.o: src/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_ALL) $(LTO) -MMD -MP -c -o $@ $<

# What the assembler reads into an object is not in its .d file, and the linker's own compiler would not find it.
$(OUT)/obj/serve/demo.o: src/serve/demo.html src/serve/demo.js src/serve/demo.css
$(OUT)/obj/serve/demo.o: private LTO :=

# Other flags or another compiler make everything anew.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS_ALL) $(LTO)' | cmp -s - $@ || echo '$(CC) $(CFLAGS_ALL) $(LTO)' > $@
.PHONY: FORCE
FORCE:

$(OUT)/wsbridge: $(OUT)/obj/app/main.o $(ARCHIVES)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LTO) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LDFLAGS_ALL) $(LIBS)

-include $(shell find $(OUT)/obj $(OUT)/tests -name '*.d' 2>/dev/null)

# --- try it -----------------------------------------------------------------------------------------------------------
# The demo's page talks to the built-in echo, or to the TCP service given in TO: its route is a file that config/demo.yaml
# includes.

TO ?=
RUN_PORT := 6080
.PHONY: run
run: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@mkdir -p build/run.d
ifeq ($(strip $(TO)),)
	@rm -f build/run.d/to.yaml
	@echo "Open http://localhost:$(RUN_PORT)/"
else
	@printf 'services:\n  service: {to: "%s"}\nroutes:\n  - {path: /service, service: service}\n' '$(strip $(TO))' > build/run.d/to.yaml
	@echo "Open http://localhost:$(RUN_PORT)/?path=/service"
endif
	@exec $(OUT)/wsbridge -c config/demo.yaml

include tests/tests.mk
include packaging/packaging.mk

# --- documents that are printed from the option tables ----------------------------------------------------------------

.PHONY: reference docs-check
reference: $(OUT)/wsbridge
	$(OUT)/wsbridge --print-reference > config/reference.yaml

docs-check: $(OUT)/wsbridge
	@$(OUT)/wsbridge --print-reference | diff -u config/reference.yaml - || { echo "config/reference.yaml is not what the option tables say: make reference"; exit 1; }
	@$(OUT)/wsbridge --print-schema | /usr/bin/python3 -m json.tool > /dev/null
	@for f in config/demo.yaml $(wildcard config/examples/*.yaml) $(wildcard config/wsbridge.yaml); do $(OUT)/wsbridge -t -c $$f > /dev/null || exit 1; done

.PHONY: clean help
clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#   //p' Makefile $(filter %.mk,$(MAKEFILE_LIST))
