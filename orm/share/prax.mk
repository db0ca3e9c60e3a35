# prax.mk - for the Makefiles of programs that use Prax.
#
#   include $(shell pkg-config --variable=make_rules prax)
#   $(eval $(call prax_schema,schema.prax,app,gen))
#   app: main.o $(PRAX_OBJS_app)
#
# makes gen/app.h, gen/app.c, and a gen/app_MODEL.h and a gen/app_MODEL.c a model from schema.prax
# (whose prefix is app) when the schema has changed, and sets PRAX_OBJS_app to their objects. Files that
# stay the same keep their time, so a changed model compiles its own file and what includes its header.
# gen/app.h includes them all and is as new as the newest. Other objects that include one wait for them:
# name them in a fourth argument, and the header as their prerequisite. The schema may be a folder. *.sql
# beside it, or in the folder, are read again when they have changed. PRAX is the command.
PRAX ?= prax

# $(1): what is generated from. A folder's own time tells of files that have come and gone.
prax_sources = $(1) $(if $(wildcard $(1)/.),$(wildcard $(1)/*.prax $(1)/*.sql),$(wildcard $(dir $(1))*.sql))

define prax_schema
PRAX_FILES_$(2) := $(shell $(PRAX) generate --files -o $(3) $(1) 2>/dev/null)
PRAX_OBJS_$(2) := $$(patsubst %.c,%.o,$$(filter %.c,$$(PRAX_FILES_$(2))))
$(4) $$(PRAX_OBJS_$(2)): | $(3)/$(2).h
$(3)/$(2).o: $(3)/$(2).h
$$(filter-out $(3)/$(2).o,$$(PRAX_OBJS_$(2))): %.o: %.h $(3)/$(2)_models.h
$$(sort $(3)/$(2).h $$(PRAX_FILES_$(2))): $(3)/$(2).stamp ;
$(3)/$(2).stamp: $(call prax_sources,$(1))
	$$(PRAX) generate -q -o $(3) $(1)
	@touch $$@
endef
