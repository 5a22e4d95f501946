# Fuzzing. Included by tests/tests.mk.
#
#   make fuzz [SECONDS_EACH=60] [FUZZ="specs world"]    libFuzzer on each target in turn; needs clang
#
# New inputs are kept in build/fuzz/corpus. What breaks a target is written to tests/fuzz/TARGET, where `make check`
# replays it for good, together with the seeds that lie there.
SECONDS_EACH ?= 60
FUZZ         ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS      := $(patsubst tests/fuzz/fuzz_%.c,$(B)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
# libFuzzer's own main stands in for replay.c.
FUZZERS      := $(patsubst $(B)/tests/fuzz/replay_%,$(B)/tests/fuzz/fuzz_%,$(REPLAYS))
FUZZ_OBJECTS  = $(B)/tests/fuzz/fuzz_%.o
# What a target may need besides the floors: it takes what it names.
FUZZ_FLOORS  := $(B)/tests/fuzz/parts.a $(FLOORS)
$(B)/tests/fuzz/parts.a: $(call objects,drivers/container/http_reply.c tests/fuzz/file.c tests/fuzz/folder.c tests/fuzz/set.c $(filter-out drivers/image/fetch/main.c \
    drivers/image/fetch/sandbox.c,$(FETCH)) $(wildcard drivers/storage/archive*.c) drivers/storage/still.c drivers/storage/tree_remove.c \
    $(addprefix drivers/image/,metadata.c oci_auth.c oci_layout.c publish_index.c publish_metadata.c publish_tree.c \
        streams.c streams_index.c) drivers/image/oci_manifest.c drivers/image/oci_layer.c drivers/image/unpack.c drivers/image/program.c drivers/storage/beside.c \
    $(filter-out reconciler/main.c,$(wildcard reconciler/*.c)))
FUZZ_LIBS    := -larchive -lsquashfs -lyaml -llmdb -lnftables -lnl-route-3 -lnl-3 -ljansson -lgcrypt

$(REPLAYS): $(B)/tests/fuzz/replay_%: $(FUZZ_OBJECTS) $(B)/tests/fuzz/replay.o $(FUZZ_FLOORS)
	$(call say,LINK,$@)
	$(link) $(FUZZ_LIBS)
$(FUZZERS): $(B)/tests/fuzz/fuzz_%: $(FUZZ_OBJECTS) $(FUZZ_FLOORS)
	$(call say,LINK,$@)
	$(link) -fsanitize=fuzzer $(FUZZ_LIBS)

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZERS)
fuzz:
	+$(Q)$(MAKE) --no-print-directory B=build/fuzz CC=clang \
	    SANITIZE='-fsanitize=fuzzer-no-link $(SANITIZERS)' fuzz-programs
	$(Q)tests/fuzz/run build/fuzz $(SECONDS_EACH) $(FUZZ)
