# Benches: bench/NAME.c is a program on the harness in bench/lib. `make bench` runs them all.
-include bench/*/module.mk
BENCH_NAMES := sqlite_operations pool_operations probe_cost schema_parsing
BENCHES     += $(BENCH_NAMES:%=$(B)/bench/%)
BENCH_LIB   := $(call obj,$(wildcard bench/lib/*.c))

$(eval $(call prax_generate,bench/app.prax,app,$(call obj,bench/sqlite_operations.c)))

$(B)/bench/sqlite_operations: $(call obj,bench/sqlite_operations.c bench/raw_sqlite.c) $(B)/gen/app.o \
    $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

$(B)/bench/pool_operations: $(call obj,bench/pool_operations.c) $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

$(B)/bench/probe_cost: $(call obj,bench/probe_cost.c) $(B)/gen/app.o $(BENCH_LIB) $(B)/libloader.a \
    $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS) $(PRAX_LIBS)

$(B)/bench/schema_parsing: $(call obj,bench/schema_parsing.c) $(BENCH_LIB) $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)
