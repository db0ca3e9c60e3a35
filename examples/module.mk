# Examples: examples/NAME/NAME.c with NAME's schema.prax.
EXAMPLES := quickstart:notes profile_queries:shop profile_memory:weather

define example
$(eval $(call prax_generate,examples/$(1)/schema.prax,$(2),$(call obj,examples/$(1)/$(1).c)))
PROGRAMS += $(B)/$(1)
$(B)/$(1): $(call obj,examples/$(1)/$(1).c) $(B)/gen/$(2).o $(B)/libprax.a
	$$(call say,LD,$(B)/$(1))$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(PRAX_LIBS)
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(firstword $(subst :, ,$(e))),$(lastword $(subst :, ,$(e))))))
