# The prax-bpf command. Everything but main.c is in an archive, so that tests can link it.
LOADER_SRC := loader/preload/ring.c \
              $(filter-out loader/main.c loader/preload/%,$(wildcard loader/*.c loader/*/*.c)) \
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

# What goes into a launched command for `record --heap`: built whole, with flags of its own, for no
# sanitizer and no optimiser may take its frames away.
PRELOAD_SRC := $(wildcard loader/preload/*.c loader/unwind/*.c orm/base/*.c) \
               $(addprefix loader/target/,elf.c maps.c notes.c file.c)
PROGRAMS += $(B)/libprax-heap.so

$(B)/libprax-heap.so: $(PRELOAD_SRC) $(wildcard loader/preload/*.h loader/unwind/*.h bpf/*.h) \
    loader/preload/exports.map
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) -std=gnu11 -O2 -g $(WARN) -fPIC \
	    -fvisibility=hidden -fno-omit-frame-pointer -fno-builtin-malloc -ftls-model=initial-exec \
	    -pthread -shared -Wl,-z,relro,-z,now -Wl,-z,nodelete \
	    -Wl,--version-script=loader/preload/exports.map -o $@ $(PRELOAD_SRC) -lm

install: install-preload
.PHONY: install-preload
install-preload: $(B)/libprax-heap.so
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/prax
	$(Q)install -m 755 $< $(DESTDIR)$(PREFIX)/lib/prax
