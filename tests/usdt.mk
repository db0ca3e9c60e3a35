# Programs that the tests of the probes look at from outside.
USDT_SRC  := $(wildcard usdt/*.c)
USDT_DEEP := $(USDT_SRC) usdt/probes.S $(wildcard usdt/*.h usdt/*.inc usdt/include/prax/usdt.h) \
             usdt/probes.def
VICTIM    := $(B)/tests/bpf/victims
VICTIM_CC  = $(CC) $(CPPFLAGS_ALL) -std=gnu11 -fno-omit-frame-pointer -fPIC -fvisibility=hidden \
             -pthread $(WARN)

$(VICTIM)/probe_fire: $(VICTIM)/probe_fire.o $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^

# The red zone depends on what a compiler makes of a function: once with the flags of each profile.
define probe_leaf_rule
TEST_DEPS += $(VICTIM)/probe_leaf.$(1)
$(VICTIM)/probe_leaf.$(1): tests/bpf/victims/probe_leaf.c $(USDT_DEEP)
	$$(call say,LD,$$@)mkdir -p $$(@D) && $$(VICTIM_CC) $$(OPT_$(1)) \
	    -mno-omit-leaf-frame-pointer -o $$@ $$< $(USDT_SRC) usdt/probes.S
endef
$(foreach p,$(PROFILES),$(eval $(call probe_leaf_rule,$(p))))

TEST_DEPS += $(VICTIM)/probe_fire
