# Examples: examples/NAME/NAME.c with NAME's schema.prax.
EXAMPLES := quickstart:notes profile_queries:shop profile_memory:weather event_loop:jobs

# libuv's loop, where libuv is installed.
ifneq ($(shell pkg-config --exists libuv 2>/dev/null && echo 1),)
EXAMPLES += event_loop_uv:uvjobs
CFLAGS_examples/event_loop_uv/event_loop_uv := $(shell pkg-config --cflags libuv)
LIBS_event_loop_uv := $(shell pkg-config --libs libuv)
endif

define example
$(eval $(call prax_generate,examples/$(1)/schema.prax,$(2),$(call obj,examples/$(1)/$(1).c)))
PROGRAMS += $(B)/$(1)
$(B)/$(1): $(call obj,examples/$(1)/$(1).c) $(B)/gen/$(2).o $(B)/libprax.a
	$$(call say,LD,$(B)/$(1))$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(PRAX_LIBS) $(LIBS_$(1))
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(firstword $(subst :, ,$(e))),$(lastword $(subst :, ,$(e))))))
