# prax.mk - for the Makefiles of programs that use Prax.
#
#   include $(shell pkg-config --variable=make_rules prax)
#   $(eval $(call prax_schema,schema.prax,app,gen))
#   app: main.o $(PRAX_OBJS_app)
#
# makes gen/app.h, gen/app.c and a gen/app_MODEL.c a model from schema.prax (whose prefix is app) when
# the schema has changed, and sets PRAX_OBJS_app to their objects. Files that stay the same keep their
# time, so a changed model compiles its own file and what includes gen/app.h. Other objects that
# include it wait for it: name them in a fourth argument. A queries.sql beside the schema is read again
# when it has changed. PRAX is the command.
PRAX ?= prax

define prax_schema
PRAX_OBJS_$(2) := $(patsubst %.c,%.o,$(filter %.c,$(shell $(PRAX) generate --files -o $(3) $(1))))
$(4) $$(PRAX_OBJS_$(2)): | $(3)/$(2).h
$$(PRAX_OBJS_$(2)): $(3)/$(2).h
$(3)/$(2).h $$(PRAX_OBJS_$(2):.o=.c): $(3)/$(2).stamp ;
$(3)/$(2).stamp: $(1) $(wildcard $(dir $(1))queries.sql)
	$$(PRAX) generate -q -o $(3) $(1)
	@touch $$@
endef
