# Programs that the tests of the probes look at from outside.
USDT_SRC  := $(wildcard usdt/*.c)
USDT_DEEP := $(USDT_SRC) usdt/probes.S $(wildcard usdt/*.h usdt/*.inc usdt/include/prax/usdt.h) \
             usdt/probes.def
VICTIM    := $(B)/tests/bpf/victims
VICTIM_CC  = $(CC) $(CPPFLAGS_ALL) -std=gnu11 -fno-omit-frame-pointer -fPIC -fvisibility=hidden \
             -pthread $(WARN)

$(VICTIM)/probe_fire: $(VICTIM)/probe_fire.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

# The same program with all but an empty main in a shared library.
$(VICTIM)/libprobe_fire.so: tests/bpf/victims/probe_fire.c $(USDT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(VICTIM_CC) -O2 -shared -Wl,-soname,$(@F) -Wl,-z,nodelete \
	    -Dmain=probe_fire_main -fvisibility=default -Wno-missing-prototypes \
	    -o $@ $< $(USDT_SRC) usdt/probes.S

$(VICTIM)/probe_fire.shared: $(VICTIM)/libprobe_fire.so
	$(call say,LD,$@)printf '%s\n' 'int probe_fire_main(int, char **);' \
	    'int main(int n, char **v) { return probe_fire_main(n, v); }' | \
	    $(VICTIM_CC) -Wno-missing-prototypes -o $@ -x c - -x none $< -Wl,-rpath,'$$ORIGIN'

# The red zone depends on what a compiler makes of a function: once with the flags of each profile.
define probe_leaf_rule
TEST_DEPS += $(VICTIM)/probe_leaf.$(1)
$(VICTIM)/probe_leaf.$(1): tests/bpf/victims/probe_leaf.c $(USDT_DEEP)
	$$(call say,LD,$$@)mkdir -p $$(@D) && $$(VICTIM_CC) $$(OPT_$(1)) \
	    -mno-omit-leaf-frame-pointer -o $$@ $$< $(USDT_SRC) usdt/probes.S
endef
$(foreach p,$(PROFILES),$(eval $(call probe_leaf_rule,$(p))))

TEST_DEPS += $(VICTIM)/probe_fire $(VICTIM)/probe_fire.shared

# The descriptor and the context must be found however the library got into the program. All from
# the same two sources. A copy in a shared object is linked as libprax.so is.
CONTEXT      := tests/bpf/victims/probe_context.c
COPY         := tests/bpf/victims/probe_copy.c
CONTEXT_ALL  := $(CONTEXT) $(COPY) $(USDT_SRC) usdt/probes.S
CONTEXT_DEEP := $(CONTEXT) $(COPY) $(COPY:.c=.h) $(USDT_DEEP)
GC_FLAGS     := -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections
CONTEXT_KINDS := archive lto stripped gc static bare shared \
                 $(foreach l,gold lld,$(if $(shell command -v ld.$(l)),gc-$(l)))
TEST_DEPS += $(CONTEXT_KINDS:%=$(VICTIM)/probe_context.$(strip %)) $(VICTIM)/libprobe_copy.so \
             $(VICTIM)/libprobe_twin.so

CONTEXT_lto     := -O3 -flto=auto $(CONTEXT_ALL)
CONTEXT_gc      := $(GC_FLAGS) $(CONTEXT_ALL)
CONTEXT_gc-gold := $(GC_FLAGS) -fuse-ld=gold $(CONTEXT_ALL)
CONTEXT_gc-lld  := $(GC_FLAGS) -fuse-ld=lld $(CONTEXT_ALL)
CONTEXT_static  := -O2 -static -DPROBE_NO_DLOPEN $(CONTEXT_ALL)
CONTEXT_bare    := -O2 $(CONTEXT)

$(VICTIM)/probe_context.%: $(CONTEXT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(VICTIM_CC) -o $@ $(CONTEXT_$*)

$(VICTIM)/probe_context.archive: $(CONTEXT_DEEP) $(B)/libprax.a
	$(call say,LD,$@)$(VICTIM_CC) $(OPT_$(PROFILE)) $(SANITIZE) -o $@ $(CONTEXT) $(COPY) $(B)/libprax.a

$(VICTIM)/probe_context.stripped: $(VICTIM)/probe_context.lto
	$(call say,STRIP,$@)strip --strip-all -o $@ $<

$(VICTIM)/probe_context.shared: $(CONTEXT_DEEP) $(VICTIM)/libprobe_copy.so
	$(call say,LD,$@)$(VICTIM_CC) -O2 -Wl,--no-as-needed -o $@ $(CONTEXT) $(VICTIM)/libprobe_copy.so \
	    -Wl,-rpath,'$$ORIGIN'

$(VICTIM)/libprobe_copy.so: $(CONTEXT_DEEP)
	$(call say,LD,$@)mkdir -p $(@D) && $(VICTIM_CC) -O2 -shared -Wl,-soname,$(@F) -Wl,-z,nodelete -Wl,-z,relro,-z,now \
	    -o $@ $(COPY) $(USDT_SRC) usdt/probes.S

$(VICTIM)/libprobe_twin.so: $(VICTIM)/libprobe_copy.so
	$(call say,STRIP,$@)strip --strip-all -o $@ $<
