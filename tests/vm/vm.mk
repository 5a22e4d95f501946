# `make check-vm`: system tests on Debian's kernel with cgroup v2 and AppArmor, in software emulation: root, minutes.
.PHONY: check-vm
check-vm:
	$(BUILD_TESTS)
	$(Q)tests/run $(B) vm
