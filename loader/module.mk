# The prax-bpf command. Everything but main.c is in an archive, so that tests can link it.
LOADER_SRC := $(filter-out loader/main.c,$(wildcard loader/*.c loader/*/*.c)) \
              $(wildcard loader/*/*.S)
LOADER_LIBS := -lbpf -ldw -lelf -lz -lm

PROGRAMS += $(B)/prax-bpf

ifneq ($(BPF_SRC),)
$(call obj,$(LOADER_SRC) $(wildcard tests/bpf/*.c)): | $(B)/gen/prax.skel.h
endif

$(B)/libloader.a: $(call obj,$(LOADER_SRC))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/prax-bpf: $(call obj,loader/main.c) $(B)/libloader.a $(call obj,$(BASE_SRC))
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS)
