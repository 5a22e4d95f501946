# What surrounds the program: dependencies, demonstration, installation; included by the Makefile.
.PHONY: deps demo install manuals
deps:
	$(Q)dist/deps

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)dist/demo $(B)

# Manual pages: copied, or written from a template and the rows of the tables (man/fields.c).
MANUALS := $(patsubst man/%,$(B)/man/%,$(wildcard man/*.[58])) $(patsubst man/%.in,$(B)/man/%,$(wildcard man/*.in))
manuals: $(MANUALS)
$(B)/man/fields: $(B)/man/fields.o $(B)/specs.a $(B)/lib.a
	$(call say,LINK,$@)
	$(link) -lyaml -ljansson -lgcrypt
$(B)/man/%: man/%.in $(B)/man/fields
	$(call say,MAN,$@)
	$(Q)$(B)/man/fields $< >$@.new && mv $@.new $@
$(B)/man/%: man/%
	$(Q)mkdir -p $(@D) && cp $< $@

SBIN    := $(DESTDIR)$(PREFIX)/sbin
HELPERS := $(DESTDIR)$(PREFIX)/lib/fpsync
MANS    := $(DESTDIR)$(PREFIX)/share/man
DATA    := $(DESTDIR)$(PREFIX)/share
SHARE   := $(DESTDIR)$(PREFIX)/share/doc/fpsync
install: all manuals
	$(Q)install -D -m 755 $(B)/fpsync $(SBIN)/fpsync
	$(Q)install -D -m 755 -t $(HELPERS) $(B)/fpsync-worker $(B)/fpsync-fetch $(B)/fpsync-init
	$(Q)install -D -m 644 -t $(MANS)/man8 $(filter %.8,$(MANUALS))
	$(Q)install -D -m 644 -t $(MANS)/man5 $(filter %.5,$(MANUALS))
	$(Q)install -D -m 644 dist/completion/fpsync.bash $(DATA)/bash-completion/completions/fpsync
	$(Q)install -D -m 644 -t $(DATA)/zsh/site-functions dist/completion/_fpsync
	$(Q)install -D -m 644 -t $(DATA)/fish/vendor_completions.d dist/completion/fpsync.fish
	$(Q)install -D -m 644 -t $(SHARE) README.md LICENSE
	$(Q)cp -R examples $(SHARE)/
	$(call say,INST,$(SBIN)/fpsync)
