# BPF programs: one object a concern, linked into one by bpftool, turned into one skeleton header.
# No vmlinux.h: bpf/core.h declares the kernel fields that are read, and CO-RE relocates them.
# unwind.bpf.c defines the shared maps and comes first: bpftool 7.1 leaves the offset of a map at 0
# whose extern declaration it meets before the definition.
BPF_SRC   := bpf/unwind.bpf.c $(filter-out bpf/unwind.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJ   := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(BPF_SRC))
BPF_FLAGS := -target bpf -mcpu=v3 -D__TARGET_ARCH_$(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m))) \
             -O2 -g -Wall -Wextra -Werror -Wno-gnu-variable-sized-type-not-at-end -I. -Iusdt/include

ifneq ($(BPF_SRC),)
GEN_HDR += $(B)/gen/prax.skel.h
endif

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

$(B)/bpf/prax.linked.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)$(BPFTOOL) gen object $@ $^

# bpftool's code is not up to our warnings, and names the types of the tables.
$(B)/gen/prax.skel.h: $(B)/bpf/prax.linked.o
	$(call say,SKEL,$@)mkdir -p $(@D) && { echo '#pragma GCC system_header' && \
	    echo '#include "bpf/unwind.h"' && $(BPFTOOL) gen skeleton $< name prax; } > $@
