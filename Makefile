# fpsync: `make` builds build/fpsync and its helpers; see README.md.
#
#   build/fpsync         the command: decides, records, prints; links the views, never an effect
#   build/fpsync-worker  runs effects; links liblxc, holds no database, lock or secret
#   build/fpsync-fetch   unpacks images in a sandbox
#   build/fpsync-init    the static init of `command:` containers
CC      ?= cc
DESTDIR ?=
PREFIX  ?= /usr/local
VERSION := 0.1.0
B       ?= build

Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n' '$(1)' '$(2)')

WARNINGS  := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
             -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS    ?= -O2 -g
ALL_CFLAGS  = -std=gnu17 -D_GNU_SOURCE -DFPSYNC_VERSION='"$(VERSION)"' -I. -isystem /usr/include/libnl3 \
              $(WARNINGS) $(HARDENING) $(CFLAGS) $(SANITIZE)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) $(SANITIZE)

# A driver family is split by file name: requests*.c (tables) and view*.c (read-only, no effect) go into the main
# program and the worker, everything else of the family into the worker alone; drivers/guest is no family, but what
# they share to reach into a running container. Folders below a family are programs of their own (drivers/image/fetch,
# drivers/container/init).
LIB     := $(wildcard lib/*.c)
SPECS   := $(wildcard specs/*.c)
STATE   := $(wildcard state/*.c)
SHARED  := $(filter-out drivers/run.c,$(wildcard drivers/*.c)) $(wildcard drivers/*/requests*.c)
VIEWS   := $(wildcard drivers/*/view*.c)
EFFECTS := drivers/run.c $(filter-out $(SHARED) $(VIEWS) drivers/worker/%,$(wildcard drivers/*/*.c))
WORKER  := $(wildcard drivers/worker/*.c)
FETCH   := $(wildcard drivers/image/fetch/*.c)
INIT    := $(wildcard drivers/container/init/*.c)
MAIN    := $(wildcard reconciler/*.c reconciler/cli/*.c)

objects   = $(patsubst %.c,$(B)/%.o,$(1))
# The main program carries its libraries in itself: a run with nothing to do would spend a sixth of its time on
# loading them. DYNAMIC=1 leaves them to the system's updates. The linker warns of name lookups in libnl that are
# never called: what it says is shown when it fails (its --no-warnings would let undefined names pass).
MAIN_STATIC := $(if $(DYNAMIC)$(SANITIZE),,-static-pie -Wno-unused-command-line-argument)
MAIN_LIBS   := $(MAIN_STATIC) -lyaml -llmdb -lnl-3 -ljansson -lgcrypt -lgpg-error
WORKER_LIBS := -llxc -lnftables -lnl-route-3 -lnl-3 -ljansson -lgcrypt
FETCH_LIBS  := -larchive -lsquashfs -lcurl-gnutls -ljansson -lgcrypt -lseccomp
PROGRAMS    := $(B)/fpsync $(B)/fpsync-worker $(B)/fpsync-fetch $(B)/fpsync-init

.PHONY: all
all: $(PROGRAMS) manuals

$(B)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# Floors as archives: a program takes from each what it names.
$(B)/lib.a: $(call objects,$(LIB))
$(B)/specs.a: $(call objects,$(SPECS))
$(B)/state.a: $(call objects,$(STATE))
$(B)/shared.a: $(call objects,$(SHARED))
$(B)/views.a: $(call objects,$(VIEWS))
$(B)/effects.a: $(call objects,$(EFFECTS))
$(B)/%.a:
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

quietly = 2>$@.said || { cat $@.said >&2; rm -f $@.said; exit 1; }; rm -f $@.said
link = $(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(B)/fpsync: $(call objects,$(MAIN)) $(B)/state.a $(B)/views.a $(B)/shared.a $(B)/specs.a $(B)/lib.a
	$(call say,LINK,$@)
	$(link) $(MAIN_LIBS) $(quietly)
$(B)/fpsync-worker: $(call objects,$(WORKER)) $(B)/effects.a $(B)/views.a $(B)/shared.a $(B)/specs.a $(B)/lib.a
	$(call say,LINK,$@)
	$(link) $(WORKER_LIBS)
$(B)/fpsync-fetch: $(call objects,$(FETCH)) $(B)/drivers/guest/idmap.o $(B)/lib.a
	$(call say,LINK,$@)
	$(link) $(FETCH_LIBS)
# Static and free of libc's locale and stdio baggage as far as possible: it runs in any image.
$(B)/fpsync-init: $(INIT)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARNINGS) -Os -static -o $@ $(INIT)

include dist/dist.mk
-include tests/tests.mk
-include $(shell find $(B) -path $(B)/vm -prune -o -type f -name '*.d' -print 2>/dev/null)
