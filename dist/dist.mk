# What surrounds the program: dependencies, demonstration, installation; included by the Makefile.
.PHONY: deps demo install
deps:
	$(Q)dist/deps

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)dist/demo $(B)

SBIN    := $(DESTDIR)$(PREFIX)/sbin
HELPERS := $(DESTDIR)$(PREFIX)/lib/fpsync
MANS    := $(DESTDIR)$(PREFIX)/share/man
SHARE   := $(DESTDIR)$(PREFIX)/share/doc/fpsync
install: all
	$(Q)install -D -m 755 $(B)/fpsync $(SBIN)/fpsync
	$(Q)install -D -m 755 -t $(HELPERS) $(B)/fpsync-worker $(B)/fpsync-fetch $(B)/fpsync-init
	$(Q)install -D -m 644 man/fpsync.8 $(MANS)/man8/fpsync.8
	$(Q)install -D -m 644 man/fpsync.yaml.5 $(MANS)/man5/fpsync.yaml.5
	$(Q)install -D -m 644 -t $(SHARE) README.md LICENSE
	$(Q)cp -R examples $(SHARE)/
	$(call say,INST,$(SBIN)/fpsync)
