# Programs that the tests of prax-bpf observe.
OBSERVE_VICTIMS := query_fire heap_known heap_trouble heap_pages attach_loop attach_plain
TEST_DEPS += $(OBSERVE_VICTIMS:%=$(B)/tests/bpf/victims/%)

# An allocation that nobody uses is the point of it.
CFLAGS_tests/bpf/victims/heap_known := -fno-builtin
CFLAGS_tests/bpf/victims/heap_trouble := -fno-builtin

$(B)/tests/bpf/victims/query_fire $(B)/tests/bpf/victims/attach_loop: %: %.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

$(addprefix $(B)/tests/bpf/victims/,heap_known heap_trouble heap_pages attach_plain): %: %.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

# A program that carries its own malloc.
TEST_DEPS += $(B)/tests/bpf/victims/heap_static
$(B)/tests/bpf/victims/heap_static: $(B)/tests/bpf/victims/heap_known.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -static -o $@ $^

# The same programs with other allocators, by linking and within the program.
ALLOCATORS := jemalloc tcmalloc_minimal mimalloc
HEAP_LINKED := $(foreach v,heap_known heap_new,$(ALLOCATORS:%=$(B)/tests/bpf/victims/$v.%) \
                 $(B)/tests/bpf/victims/$v.inside)
TEST_DEPS += $(HEAP_LINKED) $(B)/tests/bpf/victims/heap_new

$(B)/tests/bpf/victims/heap_new.o: tests/bpf/victims/heap_new.cpp
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(CXX) -std=c++17 -Wall -Wextra -O1 -g -fno-builtin \
	    -faligned-new -fsized-deallocation -c -o $@ $<

$(B)/tests/bpf/victims/heap_new: %: %.o
	$(call say,LD,$@)$(CXX) -o $@ $^

define heap_linked
$(ALLOCATORS:%=$(B)/tests/bpf/victims/$1.%): $(B)/tests/bpf/victims/$1.o
	$$(call say,LD,$$@)$2 -pthread -o $$@ $$^ -Wl,--no-as-needed -l$$(subst .,,$$(suffix $$@))

# A whole allocator in the program: its symbols are the only trace.
$(B)/tests/bpf/victims/$1.inside: $(B)/tests/bpf/victims/$1.o
	$$(call say,LD,$$@)$$(CXX) -pthread -o $$@ $$^ -Wl,--whole-archive -l:libjemalloc.a \
	    -Wl,--no-whole-archive -ldl -lm
endef
$(eval $(call heap_linked,heap_known,$(CC)))
$(eval $(call heap_linked,heap_new,$(CXX)))

# Programs in motion: one source, built in the ways that programs are. All without frame pointers,
# as distributions build; the bare one has no section headers either.
MOTION := $(B)/tests/bpf/victims/motion_parts
MOTION_CC = $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g -fno-inline -fno-ipa-icf -fno-optimize-sibling-calls \
    -fomit-frame-pointer -pthread
TEST_DEPS += $(MOTION) $(MOTION:%=%.static) $(MOTION:%=%.static-pie) $(MOTION:%=%.nopie) \
             $(MOTION:%=%.bare) $(B)/tests/bpf/victims/libmotion_one.so \
             $(B)/tests/bpf/victims/libmotion_two.so $(B)/tests/bpf/victims/libmotion_twin.so

MOTION_FLAGS_            := -fPIE -pie
MOTION_FLAGS_.nopie      := -fno-pie -no-pie
MOTION_FLAGS_.static     := -fno-pie -static -DMOTION_STATIC
MOTION_FLAGS_.static-pie := -fPIE -static-pie -DMOTION_STATIC

$(MOTION) $(MOTION:%=%.static) $(MOTION:%=%.static-pie) $(MOTION:%=%.nopie): tests/bpf/victims/motion_parts.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(MOTION_CC) $(MOTION_FLAGS_$(suffix $@)) -o $@ $<

# e_shoff, and e_shentsize to e_shstrndx: nothing but segments is left to find things by.
$(MOTION:%=%.bare): $(MOTION)
	$(call say,STRIP,$@)strip --strip-all -o $@ $< && \
	    head -c 8 /dev/zero | dd of=$@ bs=1 seek=40 conv=notrunc status=none && \
	    head -c 6 /dev/zero | dd of=$@ bs=1 seek=58 conv=notrunc status=none

$(B)/tests/bpf/victims/libmotion_one.so: MOTION_DEFS := -DMOTION_NAME=inner_one -DMOTION_ROOM=8
$(B)/tests/bpf/victims/libmotion_two.so: MOTION_DEFS := -DMOTION_NAME=inner_two -DMOTION_ROOM=64
$(B)/tests/bpf/victims/libmotion_twin.so: MOTION_DEFS := -DMOTION_NAME=inner_two -DMOTION_ROOM=8
$(B)/tests/bpf/victims/libmotion_one.so $(B)/tests/bpf/victims/libmotion_two.so \
$(B)/tests/bpf/victims/libmotion_twin.so: \
    tests/bpf/victims/motion_swapped.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(MOTION_CC) -fPIC -shared $(MOTION_DEFS) -o $@ $<

TEST_DEPS += $(B)/tests/bpf/victims/motion_heap
$(B)/tests/bpf/victims/motion_heap: tests/bpf/victims/motion_heap.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(MOTION_CC) -fno-builtin -o $@ $<

# The same with an allocator that a library brings.
TEST_DEPS += $(B)/tests/bpf/victims/motion_heap.own
$(B)/tests/bpf/victims/libmotion_malloc.so: tests/bpf/victims/motion_malloc.c
	$(call say,VICTIM,$@)mkdir -p $(@D) && $(MOTION_CC) -fno-builtin -fPIC -shared -Wl,-soname,$(@F) \
	    -o $@ $<

$(B)/tests/bpf/victims/motion_heap.own: tests/bpf/victims/motion_heap.c \
    $(B)/tests/bpf/victims/libmotion_malloc.so
	$(call say,VICTIM,$@)$(MOTION_CC) -fno-builtin -o $@ $^ -Wl,-rpath,'$$ORIGIN'
