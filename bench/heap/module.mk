# bench/heap: what recording the heap costs, beside heaptrack and valgrind's dhat. `make bench-heap`.
HEAP_BENCH := $(addprefix $(B)/bench/heap/,timed pairs faults work_cpp probed_pairs hooks)

# Built as a distribution builds: optimised, without frame pointers; no builtin malloc and free, so
# that no pair is optimised away.
$(B)/bench/heap/%: bench/heap/%.c
	$(call say,WORK,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g -fno-builtin \
	    -fomit-frame-pointer -o $@ $<

$(B)/bench/heap/work_cpp: bench/heap/work_cpp.cpp
	$(call say,WORK,$@)mkdir -p $(@D) && $(CXX) -std=c++17 -Wall -Wextra -O2 -g -pthread -o $@ $<

# These attach programs themselves.
$(B)/bench/heap/probed_pairs $(B)/bench/heap/hooks: $(B)/bench/heap/%: bench/heap/%.c $(B)/libloader.a \
    $(B)/libprax.a
	$(call say,WORK,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) -std=gnu11 $(WARN) -O2 -g -fno-builtin \
	    -fno-lto -fomit-frame-pointer -pthread -o $@ $^ $(LOADER_LIBS)

.PHONY: bench-heap run-bench-heap
bench-heap: ## recording the heap beside heaptrack and dhat: slowdown, pairs, memory (root, 4 minutes)
	@$(MAKE) --no-print-directory PROFILE=bench run-bench-heap

run-bench-heap: programs $(HEAP_BENCH)
	@B=$(B) bench/heap/run.sh
