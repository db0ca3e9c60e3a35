# Programs that the tests of prax-bpf observe.
OBSERVE_VICTIMS := query_fire heap_known attach_loop attach_plain
TEST_DEPS += $(OBSERVE_VICTIMS:%=$(B)/tests/bpf/victims/%)

# An allocation that nobody uses is the point of it.
CFLAGS_tests/bpf/victims/heap_known := -fno-builtin

$(B)/tests/bpf/victims/query_fire $(B)/tests/bpf/victims/attach_loop: %: %.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

$(B)/tests/bpf/victims/heap_known $(B)/tests/bpf/victims/attach_plain: %: %.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

# A program that carries its own malloc.
TEST_DEPS += $(B)/tests/bpf/victims/heap_static
$(B)/tests/bpf/victims/heap_static: $(B)/tests/bpf/victims/heap_known.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -static -o $@ $^
