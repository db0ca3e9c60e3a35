# bench/unwind: our stacks beside those of frame pointers and perf. `make bench-unwind`.
UNWIND_WORK  := $(addprefix $(B)/bench/unwind/,work_sqlite work_libpq work_deep)
UNWIND_TOOLS := $(addprefix $(B)/bench/unwind/,cost tables stacks pairs)

# Built as a distribution builds: optimised, without frame pointers.
$(B)/bench/unwind/work_%: bench/unwind/work_%.c bench/unwind/work.h
	$(call say,WORK,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g \
	    -fomit-frame-pointer -I. -o $@ $< \
	    $(if $(findstring sqlite,$*),-lsqlite3) $(if $(findstring libpq,$*),-lpq)

$(B)/bench/unwind/peer.bpf.o: bench/unwind/peer.bpf.c
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

$(B)/gen/unwind_peer.skel.h: $(B)/bench/unwind/peer.bpf.o
	$(call say,SKEL,$@)mkdir -p $(@D) && { echo '#pragma GCC system_header' && \
	    $(BPFTOOL) gen skeleton $< name unwind_peer; } > $@
GEN_HDR += $(B)/gen/unwind_peer.skel.h
$(B)/bench/unwind/cost.o: $(B)/gen/unwind_peer.skel.h

$(UNWIND_TOOLS): $(B)/bench/unwind/%: $(B)/bench/unwind/%.o $(call obj,tests/lib/tables.c) \
    $(B)/libloader.a $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS)

.PHONY: bench-unwind run-bench-unwind
bench-unwind: ## our stacks beside frame pointers and perf: wholeness, cost, size (root, 4 minutes)
	@$(MAKE) --no-print-directory PROFILE=bench run-bench-unwind

run-bench-unwind: programs $(UNWIND_WORK) $(UNWIND_TOOLS)
	@B=$(B) bench/unwind/run.sh
