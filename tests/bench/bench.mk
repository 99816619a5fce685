# Benchmarks.
#
#   make bench                everything beside the peers, in turn, JSON to build/bench (make bench ONLY=echo,up-16k PEERS=haproxy,wsbridge RUNS=3)
#   make bench-quick          the main lines only, a few minutes
#   make bench-smoke          system calls and allocations a message, with ceilings; no clock is read
#   make bench-floor          wsbridge beside the least forwarder that could do the work
#   make bench-report         the last JSON (or JSON="FILE ...") as a table (build/bench/report.md) and a chart (report.svg);
#                             README=README.md puts the main rows there

# --- the load generator and its driver --------------------------------------------------------------------------------
BENCH_DIR   := $(BUILD)/bench
BENCH_FLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE $(WARN)
BENCH_LOAD  := $(wildcard tests/bench/load_*.c)
BENCH_TOOLS := $(BENCH_DIR)/wsload $(BENCH_DIR)/floor $(BENCH_DIR)/alloc_count.so
BENCH       := /usr/bin/python3 tests/bench/bench.py --build $(BUILD) $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers $(PEERS)) $(if $(RUNS),--runs $(RUNS))

$(BENCH_DIR)/wsload: $(BENCH_LOAD) tests/bench/load.h
	@mkdir -p $(@D)
	@echo "  BENCH $@"
	$(Q)$(CC) $(BENCH_FLAGS) -o $@ $(BENCH_LOAD) -lssl -lcrypto
$(BENCH_DIR)/floor: tests/bench/floor.c
	@mkdir -p $(@D)
	@echo "  BENCH $@"
	$(Q)$(CC) $(BENCH_FLAGS) -o $@ $< -lcrypto
$(BENCH_DIR)/alloc_count.so: tests/bench/alloc_count.c
	@mkdir -p $(@D)
	@echo "  BENCH $@"
	$(Q)$(CC) $(BENCH_FLAGS) -fPIC -shared -o $@ $<

.PHONY: bench bench-quick bench-smoke bench-floor bench-report bench-tools bench-deps
bench-deps:
	@packaging/deps.sh bench
bench-tools: $(BENCH_TOOLS)
bench: bench-deps
	@$(MAKE) --no-print-directory $(PARALLEL) all bench-tools
	@$(MAKE) --no-print-directory bench-micro
	@$(BENCH) full
bench-quick: bench-deps
	@$(MAKE) --no-print-directory $(PARALLEL) all bench-tools
	@$(BENCH) quick
bench-floor: bench-deps
	@$(MAKE) --no-print-directory $(PARALLEL) all bench-tools
	@$(BENCH) floor
bench-smoke: $(OUT)/wsbridge $(BENCH_TOOLS)
	@$(BENCH) smoke
bench-report:
	@/usr/bin/python3 tests/bench/report.py $(if $(README),--readme $(README)) $(BENCH_DIR) $(JSON)
# --- end of the load generator and its driver -------------------------------------------------------------------------

# --- the pure parts alone ---------------------------------------------------------------------------------------------
#   make bench-micro          codec, masking, UTF-8, HTTP head, handshake on one core, JSON to build/bench/micro.json
MICRO_ARCHIVES := $(foreach f,$(call reverse,$(filter $(FOLDERS),base obs http ws)),$(call archive,$(f)))

$(BENCH_DIR)/micro: tests/bench/micro.c $(MICRO_ARCHIVES) $(OUT)/flags
	@mkdir -p $(@D)
	@echo "  BENCH $@"
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $< -Wl,--start-group $(MICRO_ARCHIVES) -Wl,--end-group $(LDFLAGS_ALL) $(LIBS)

.PHONY: bench-micro
bench-micro: $(BENCH_DIR)/micro
	@$< $(BENCH_DIR)/micro.json
# --- end of the pure parts alone --------------------------------------------------------------------------------------
