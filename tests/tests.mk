# Tests; included by the Makefile. Every runner prints TAP into $(B)/results/PART.tap; tests/run starts the parts
# one after another and tests/summary counts all their cases.
#
#   make check         lint, unit, scenario, property, fault: no root needed, seconds
#   make check-system  real containers on this host: root
#   make test          all of them; the last line counts what passed, failed and was skipped
#   make check-sanitize  unit, scenario, property, fault and, as root, system, built with ASan, LSan and UBSan in a folder of
#                      its own; CC=clang for the other compiler, PARTS="unit scenario" for less
#   make format        clang-format over everything, which lint then expects
#   make bench         thousands of objects beside plain libyaml, and ratios against lxc-start and lxc-stop; fails
#                      when a bound is missed
TEST_LIBS    := -lcmocka -lyaml -llmdb -lnftables -lnl-route-3 -lnl-3 -ljansson -lgcrypt
UNIT         := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_EFFECTS := $(filter $(B)/tests/unit/test_effects_%,$(UNIT))
FLOORS       := $(B)/state.a $(B)/views.a $(B)/shared.a $(B)/specs.a $(B)/lib.a
BENCH_TOOLS  := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*.c))
PRELOADS     := $(patsubst tests/preload/%.c,$(B)/tests/preload/%.so,$(wildcard tests/preload/*.c))
# Linked statically: these run inside guests, or before anything may be opened.
GUEST_TOOLS  := $(patsubst tests/system/%.c,$(B)/tests/system/%,$(wildcard tests/system/*.c))

-include tests/fake/fake.mk
-include tests/property/property.mk
-include tests/vm/vm.mk
# The name switches off what an instrumented program cannot keep: the unpacker's bound on address space, figures.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -DFPSYNC_SANITIZED
-include tests/fuzz/fuzz.mk

$(filter-out $(UNIT_EFFECTS),$(UNIT)): $(B)/tests/unit/%: $(B)/tests/unit/%.o $(FLOORS)
	$(call say,LINK,$@)
	$(link) $(TEST_LIBS)
$(B)/tests/unit/test_contest: $(B)/reconciler/contest.o
$(B)/tests/unit/test_http_reply: $(B)/drivers/container/http_reply.o
$(B)/tests/unit/test_lines: $(B)/drivers/lines.o
$(B)/tests/unit/test_build $(B)/tests/unit/test_build_from: $(B)/tests/fuzz/parts.a
$(B)/tests/unit/test_options: $(B)/reconciler/options.o
$(UNIT_EFFECTS): $(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/effects.a $(FLOORS)
	$(call say,LINK,$@)
	$(link) -llxc $(TEST_LIBS)
$(BENCH_TOOLS): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/effects.a $(FLOORS)
	$(call say,LINK,$@)
	$(link) $(WORKER_LIBS) -lyaml
$(B)/tests/system/%: tests/system/%.c Makefile
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<

$(PRELOADS): $(B)/tests/preload/%.so: tests/preload/%.c Makefile
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -shared -fPIC -o $@ $<

FAKE := $(if $(wildcard tests/fake/fake.mk),$(B)/fpsync-fake)
# With -k: a test that does not compile is one failed test, and the others still say what they found.
BUILD_TESTS = +$(Q)$(MAKE) --no-print-directory -k test-programs || true
export FPSYNC_BUILD = $(abspath $(B))

.PHONY: test-programs test test-unit test-scenario test-property test-fault test-system check check-system check-sanitize test-parts lint format bench
test-programs: all $(FAKE) $(PROPERTY) $(UNIT) $(REPLAYS) $(GUEST_TOOLS) $(PRELOADS)

lint:
	$(Q)tests/run $(B) lint
test-unit test-scenario test-property test-fault test-system: test-%:
	$(BUILD_TESTS)
	$(Q)tests/run $(B) $*
check:
	$(BUILD_TESTS)
	$(Q)tests/run $(B) lint unit scenario property fault
check-system: test-system
PARTS ?= unit scenario property fault system
check-sanitize: export PATIENCE = 8
check-sanitize:
	+$(Q)$(MAKE) --no-print-directory B=build/sanitize-$(notdir $(CC)) SANITIZE='$(SANITIZERS)' \
	    PARTS='$(PARTS)' test-parts
test-parts:
	$(BUILD_TESTS)
	$(Q)tests/run $(B) $(PARTS)
test: deps
	$(BUILD_TESTS)
	$(Q)tests/run $(B) lint unit scenario property fault system
format:
	$(Q)clang-format -i $(shell git ls-files -co --exclude-standard '*.c' '*.h')
bench: all $(BENCH_TOOLS)
	$(BUILD_TESTS)
	$(Q)status=0; tests/bench/run || status=1; tests/bench/scale || status=1; tests/bench/unpack $(B) || status=1; tests/bench/pull $(B) || status=1; tests/bench/build $(B) || status=1; exit $$status
