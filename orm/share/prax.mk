# prax.mk - for the Makefiles of programs that use Prax.
#
#   include $(shell pkg-config --variable=make_rules prax)
#   $(eval $(call prax_schema,schema.prax,app,gen))
#   app: main.o $(PRAX_OBJS_app)
#
# makes gen/app.h, gen/app.c and a gen/app_MODEL.c a model from schema.prax (whose prefix is app) when
# the schema has changed, and sets PRAX_OBJS_app to their objects. Files that stay the same keep their
# time, so a changed model compiles its own file and what includes gen/app.h. Other objects that
# include it wait for it: name them in a fourth argument. The schema may be a folder. *.sql beside it, or
# in the folder, are read again when they have changed. PRAX is the command.
PRAX ?= prax

# $(1): what is generated from. A folder's own time tells of files that have come and gone.
prax_sources = $(1) $(if $(wildcard $(1)/.),$(wildcard $(1)/*.prax $(1)/*.sql),$(wildcard $(dir $(1))*.sql))

define prax_schema
PRAX_OBJS_$(2) := $(patsubst %.c,%.o,$(filter %.c,$(shell $(PRAX) generate --files -o $(3) $(1))))
$(4) $$(PRAX_OBJS_$(2)): | $(3)/$(2).h
$$(PRAX_OBJS_$(2)): $(3)/$(2).h
$(3)/$(2).h $$(PRAX_OBJS_$(2):.o=.c): $(3)/$(2).stamp ;
$(3)/$(2).stamp: $(call prax_sources,$(1))
	$$(PRAX) generate -q -o $(3) $(1)
	@touch $$@
endef
