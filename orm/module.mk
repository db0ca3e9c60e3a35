# libprax (base, usdt, driver, pool, query, client) and the prax command (schema, gen, cli).
BASE_SRC    := $(wildcard orm/base/*.c)
PRAX_SRC    := $(BASE_SRC) $(wildcard orm/driver/*.c orm/pool/*.c orm/query/*.c orm/client/*.c) \
               $(wildcard usdt/*.c)
COMPILER_SRC := $(wildcard orm/schema/*.c orm/gen/*.c orm/import/*.c)
CLI_SRC     := $(wildcard orm/cli/*.c)

PRAX_LIBS   := -lsqlite3 -lm
CPPFLAGS_ALL += $(shell pkg-config --cflags libpq)

PROGRAMS += $(B)/prax

$(B)/libprax.a: $(call obj,$(PRAX_SRC)) $(USDT_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/libprax.so: $(call obj,$(PRAX_SRC)) $(USDT_OBJ) orm/libprax.map
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libprax.so.0 -Wl,-z,nodelete \
	    -Wl,--version-script=orm/libprax.map -o $@ $(filter %.o,$^) $(PRAX_LIBS)

# What the prax command and the tests of the compiler share.
$(B)/libpraxc.a: $(call obj,$(COMPILER_SRC))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/prax: $(call obj,$(CLI_SRC)) $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

# Generated code: $(eval $(call prax_generate,SCHEMA,PREFIX,OBJECTS)) makes $(B)/gen/PREFIX.{h,c} from
# the file SCHEMA before any of OBJECTS is compiled. Output that is the same keeps its time, so nothing
# is compiled again; the stamp says that the generator has run.
define prax_generate
GEN_HDR += $(B)/gen/$(2).h
$(3) $(B)/gen/$(2).o: | $(B)/gen/$(2).h
$(B)/gen/$(2).h $(B)/gen/$(2).c: $(B)/gen/$(2).stamp ;
$(B)/gen/$(2).stamp: $(1) $(B)/prax
	$$(call say,PRAX,$(B)/gen/$(2).h)mkdir -p $(B)/gen && $(B)/prax generate -q --single -o $(B)/gen $(1) && touch $$@
endef
