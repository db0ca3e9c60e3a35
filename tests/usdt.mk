# Programs that the tests of the probes look at from outside.
USDT_SRC     := $(wildcard usdt/*.c)
USDT_DEEP    := $(USDT_SRC) usdt/probes.S $(wildcard usdt/*.h usdt/*.inc usdt/include/prax/usdt.h) \
                usdt/probes.def
PROBE_VICTIM := $(B)/tests/bpf/victims
PROBE_CC     = $(CC) $(CPPFLAGS_ALL) -std=gnu11 -fno-omit-frame-pointer -fPIC -fvisibility=hidden \
               -pthread $(WARN)
# As libprax.so is linked.
PROBE_SO     = -shared -Wl,-soname,$(@F) -Wl,-z,nodelete -Wl,-z,relro,-z,now

$(PROBE_VICTIM)/probe_fire: $(PROBE_VICTIM)/probe_fire.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

# The same program with all but an empty main in a shared library.
$(PROBE_VICTIM)/libprobe_fire.so: tests/bpf/victims/probe_fire.c $(USDT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(PROBE_CC) -O2 $(PROBE_SO) \
	    -Dmain=probe_fire_main -fvisibility=default -Wno-missing-prototypes \
	    -o $@ $< $(USDT_SRC) usdt/probes.S

$(PROBE_VICTIM)/probe_fire.shared: $(PROBE_VICTIM)/libprobe_fire.so
	$(call say,LD,$@)printf '%s\n' 'int probe_fire_main(int, char **);' \
	    'int main(int n, char **v) { return probe_fire_main(n, v); }' | \
	    $(PROBE_CC) -Wno-missing-prototypes -o $@ -x c - -x none $< -Wl,-rpath,'$$ORIGIN'

# The red zone depends on what a compiler makes of a function: once with the flags of each profile.
define probe_leaf_rule
TEST_DEPS += $(PROBE_VICTIM)/probe_leaf.$(1)
$(PROBE_VICTIM)/probe_leaf.$(1): tests/bpf/victims/probe_leaf.c $(USDT_DEEP)
	$$(call say,LD,$$@)mkdir -p $$(@D) && $$(PROBE_CC) $$(OPT_$(1)) \
	    -mno-omit-leaf-frame-pointer -o $$@ $$< $(USDT_SRC) usdt/probes.S
endef
$(foreach p,$(PROFILES),$(eval $(call probe_leaf_rule,$(p))))

TEST_DEPS += $(PROBE_VICTIM)/probe_fire $(PROBE_VICTIM)/probe_fire.shared

# The descriptor and the context must be found however the library got into the program. All from
# the same two sources.
PROBE_CONTEXT := tests/bpf/victims/probe_context.c
PROBE_COPY    := tests/bpf/victims/probe_copy.c
PROBE_CONTEXT_ALL  := $(PROBE_CONTEXT) $(PROBE_COPY) $(USDT_SRC) usdt/probes.S
PROBE_CONTEXT_DEEP := $(PROBE_CONTEXT) $(PROBE_COPY) $(PROBE_COPY:.c=.h) $(USDT_DEEP)
PROBE_GC_FLAGS     := -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections
PROBE_CONTEXT_KINDS := archive lto stripped gc static bare shared \
                 $(foreach l,gold lld,$(if $(shell command -v ld.$(l)),gc-$(l)))
TEST_DEPS += $(addprefix $(PROBE_VICTIM)/probe_context.,$(PROBE_CONTEXT_KINDS)) \
             $(addprefix $(PROBE_VICTIM)/,libprobe_copy.so libprobe_twin.so)

PROBE_CONTEXT_lto     := -O3 -flto=auto $(PROBE_CONTEXT_ALL)
PROBE_CONTEXT_gc      := $(PROBE_GC_FLAGS) $(PROBE_CONTEXT_ALL)
PROBE_CONTEXT_gc-gold := $(PROBE_GC_FLAGS) -fuse-ld=gold $(PROBE_CONTEXT_ALL)
PROBE_CONTEXT_gc-lld  := $(PROBE_GC_FLAGS) -fuse-ld=lld $(PROBE_CONTEXT_ALL)
PROBE_CONTEXT_static  := -O2 -static -DPROBE_NO_DLOPEN $(PROBE_CONTEXT_ALL)
PROBE_CONTEXT_bare    := -O2 $(PROBE_CONTEXT)

$(addprefix $(PROBE_VICTIM)/probe_context.,lto gc gc-gold gc-lld static bare): \
    $(PROBE_VICTIM)/probe_context.%: $(PROBE_CONTEXT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(PROBE_CC) -o $@ $(PROBE_CONTEXT_$*)

$(PROBE_VICTIM)/probe_context.archive: $(PROBE_CONTEXT_DEEP) $(B)/libprax.a
	$(call say,LD,$@)mkdir -p $(@D) && $(PROBE_CC) $(OPT_$(PROFILE)) $(SANITIZE) \
	    -o $@ $(PROBE_CONTEXT) $(PROBE_COPY) $(B)/libprax.a

$(PROBE_VICTIM)/probe_context.stripped: $(PROBE_VICTIM)/probe_context.lto
	$(call say,STRIP,$@)strip --strip-all -o $@ $<

$(PROBE_VICTIM)/probe_context.shared: $(PROBE_CONTEXT_DEEP) $(PROBE_VICTIM)/libprobe_copy.so
	$(call say,LD,$@)$(PROBE_CC) -O2 -Wl,--no-as-needed \
	    -o $@ $(PROBE_CONTEXT) $(PROBE_VICTIM)/libprobe_copy.so -Wl,-rpath,'$$ORIGIN'

$(PROBE_VICTIM)/libprobe_copy.so: $(PROBE_CONTEXT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(PROBE_CC) -O2 $(PROBE_SO) \
	    -o $@ $(PROBE_COPY) $(USDT_SRC) usdt/probes.S

$(PROBE_VICTIM)/libprobe_twin.so: $(PROBE_VICTIM)/libprobe_copy.so
	$(call say,STRIP,$@)strip --strip-all -o $@ $<
