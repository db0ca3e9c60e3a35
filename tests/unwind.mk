# Victims of the sampler's test: built as a distribution builds, without frame pointers.
STACK_VICTIMS := $(patsubst %.c,$(B)/%,$(wildcard tests/bpf/victims/stack_*.c))
TEST_DEPS += $(STACK_VICTIMS)

$(B)/tests/bpf/victims/stack_%: tests/bpf/victims/stack_%.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g \
	    -fomit-frame-pointer -pthread -Iusdt/include -o $@ $< -lsqlite3

$(B)/tests/bpf/test_cpu: | $(STACK_VICTIMS)

# Code without .eh_frame, one for each version of .debug_frame; and one file with both sections.
FRAME_VICTIMS := $(addprefix $(B)/tests/bpf/victims/frame_debug.,1 3 4 both)
FRAME_FLAGS_both := -DBOTH_SECTIONS -fasynchronous-unwind-tables
$(foreach v,1 3 4,$(eval FRAME_FLAGS_$(v) := \
    -fno-asynchronous-unwind-tables -fno-unwind-tables -Wa,--gdwarf-cie-version=$(v)))

$(FRAME_VICTIMS): $(B)/tests/bpf/victims/frame_debug.%: tests/bpf/victims/frame_debug.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && gcc -std=gnu11 $(WARN) -O2 -g -fomit-frame-pointer \
	    $(FRAME_FLAGS_$*) -o $@ $<

$(B)/tests/unit/test_unwind_rows: | $(FRAME_VICTIMS)

# For tests/bpf/test_compilers.sh.
TEST_DEPS += $(B)/tests/bpf/load_object
$(B)/tests/bpf/load_object: $(B)/tests/bpf/load_object.o $(B)/libloader.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS) $(PRAX_LIBS)

.PHONY: print-bpf-flags
print-bpf-flags:
	@echo '$(BPF_FLAGS)'

.PHONY: check-elfs
check-elfs: $(B)/tests/unit/test_unwind_sweep ## compare the tables of every installed object with libdw
	@PRAX_ELFS=all B=$(B) tests/run.sh $<
