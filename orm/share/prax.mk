# prax.mk - for the Makefiles of programs that use Prax.
#
#   include $(shell pkg-config --variable=make_rules prax)
#   $(eval $(call prax_schema,schema.prax,app,gen))
#
# makes gen/app.h and gen/app.c from schema.prax (whose prefix is app) when the schema has changed.
# Objects that include gen/app.h wait for it: name them in a fourth argument, or all objects of the
# program. PRAX is the command.
PRAX ?= prax

define prax_schema
$(4) $(3)/$(2).o: | $(3)/$(2).h
$(3)/$(2).h $(3)/$(2).c: $(3)/$(2).stamp ;
$(3)/$(2).stamp: $(1)
	$$(PRAX) generate -q -o $(3) $(1)
	@touch $$@
endef
