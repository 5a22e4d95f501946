# build/fpsync-fake and build/fpsync-worker-fake: the real programs on the fake world of tests/fake/world.h, and
# build/fake-tool, the other hand that changes it. Included by tests/tests.mk. The context of a build is real here, too, as is
# what can be seen of a source.
FAKE_VIEWS   := tests/fake/world.c tests/fake/convert.c tests/fake/seen.c tests/fake/view.c tests/fake/view_build.c \
                drivers/image/view_context.c drivers/image/view_source.c
# A backup is of what lies in the store: the record and the secrets are real here, too.
FAKE_EFFECTS := $(FAKE_VIEWS) $(wildcard tests/fake/effects_*.c) $(wildcard drivers/storage/archive*.c) drivers/storage/still.c \
                drivers/storage/tree_remove.c
FAKE_FLOORS  := $(B)/shared.a $(B)/specs.a $(B)/lib.a
# Static: the fault loop starts tens of thousands of these, and half of a start is loading libraries. The linker's
# warning that names of users will be looked up by shared ones is no news, hence `quietly`.
FAKE_LIBS    := $(if $(SANITIZE),,-static-pie -Wno-unused-command-line-argument) -lyaml -llmdb -ljansson -lgcrypt -lgpg-error

$(B)/fpsync-fake: $(call objects,$(MAIN) $(FAKE_VIEWS) tests/fake/commit.c) $(B)/state.a $(FAKE_FLOORS) | $(B)/fpsync-worker-fake $(B)/fake-tool
	$(call say,LINK,$@)
	$(link) -Wl,--wrap=mdb_txn_commit $(FAKE_LIBS) $(quietly)
$(B)/fpsync-worker-fake: $(call objects,$(WORKER) drivers/run.c $(FAKE_EFFECTS)) $(FAKE_FLOORS)
	$(call say,LINK,$@)
	$(link) $(FAKE_LIBS) $(quietly)
$(B)/fake-tool: $(call objects,$(wildcard tests/fake/tool*.c) tests/fake/world.c tests/fake/convert.c tests/fake/seen.c) $(FAKE_FLOORS)
	$(call say,LINK,$@)
	$(link) $(FAKE_LIBS) $(quietly)
