# build/tests/property/property: random specs on the fakes. Included by tests/tests.mk.
PROPERTY := $(B)/tests/property/property

$(PROPERTY): $(call objects,$(wildcard tests/property/*.c)) $(B)/specs.a $(B)/lib.a
	$(call say,LINK,$@)
	$(link) -lyaml -ljansson -lgcrypt
