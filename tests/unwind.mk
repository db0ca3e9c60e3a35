# Victims of the sampler's test: built as a distribution builds, without frame pointers.
STACK_VICTIMS := $(patsubst %.c,$(B)/%,$(wildcard tests/bpf/victims/stack_*.c))
TEST_DEPS += $(STACK_VICTIMS)

$(B)/tests/bpf/victims/stack_%: tests/bpf/victims/stack_%.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g \
	    -fomit-frame-pointer -pthread -Iusdt/include -o $@ $< -lsqlite3

$(B)/tests/bpf/test_cpu: | $(STACK_VICTIMS)

.PHONY: check-elfs
check-elfs: $(B)/tests/unit/test_unwind_sweep ## compare the tables of every installed object with libdw
	@PRAX_ELFS=all B=$(B) tests/run.sh $<
