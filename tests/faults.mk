# Programs that tests of faults run, and the long forms of these tests.
TEST_DEPS += $(B)/tests/faults/load $(B)/tests/faults/pooled $(B)/tests/faults/steps

$(B)/tests/faults/load.o $(B)/tests/faults/pooled.o $(B)/tests/faults/steps.o: | $(B)/gen/blog.h
CFLAGS_tests/faults/steps := $(shell pkg-config --cflags libpq)
$(B)/tests/faults/load $(B)/tests/faults/pooled: %: %.o $(B)/gen/blog.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

$(B)/tests/faults/steps: $(B)/tests/faults/steps.o $(B)/gen/blog.o \
    $(call obj,tests/lib/pg.c tests/lib/proxy.c) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS) -lpq

FAULT_TESTS := $(filter $(B)/tests/db/test_db_faults_% $(B)/tests/db/test_db_driver_calls \
                 tests/db/test_db_faults%.sh,$(TESTS))
.PHONY: faults
faults: programs $(FAULT_TESTS) $(TEST_DEPS) ## databases taken away under load, for some minutes: docs/reliability.md
	@B=$(B) PRAX_FAULTS=long PRAX_TEST_TIMEOUT=1200 tests/run.sh $(FAULT_TESTS)
	@grep -h '^# .*:' $(patsubst %,$(B)/tests/log/%.tap,$(notdir $(FAULT_TESTS)))
