# Tests: tests/{unit,db,bpf}/test_*.c are cmocka programs; tests/{unit,db,bpf}/test_*.sh print TAP.
# A test links everything: the linker takes from the archives what it needs.
TEST_C  := $(wildcard tests/unit/test_*.c tests/db/test_*.c tests/bpf/test_*.c)
TEST_SH := $(wildcard tests/unit/test_*.sh tests/db/test_*.sh tests/bpf/test_*.sh)
TEST_LIB := $(wildcard tests/lib/*.c)
TESTS   += $(TEST_C:%.c=$(B)/%) $(TEST_SH)

# Objects of generated code that a test uses: TEST_GEN_<name of test> := ..., in tests/*.mk beside
# module.mk, which may also add programs (victims) to TEST_DEPS.
TEST_DEPS :=
include $(filter-out tests/module.mk,$(wildcard tests/*.mk tests/*/*.mk))

test: $(TEST_DEPS)

.SECONDEXPANSION:
$(TEST_C:%.c=$(B)/%): $(B)/%: $(B)/%.o $$(TEST_GEN_$$(notdir $$*)) $(call obj,$(TEST_LIB)) \
    $(B)/libloader.a $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LOADER_LIBS) $(PRAX_LIBS) \
	    -Wl,--as-needed -lpq
