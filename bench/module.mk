# Benches: bench/NAME.c is a program on the harness in bench/lib. `make bench` runs them all.
-include bench/*/module.mk
BENCH_NAMES := sqlite_operations postgres_operations postgres_batch pool_operations schema_parsing probe_cost
BENCHES     += $(BENCH_NAMES:%=$(B)/bench/%)
BENCHES     += bench/generated_code.sh
BENCH_LIB   := $(call obj,$(wildcard bench/lib/*.c))

$(eval $(call prax_generate,bench/app.prax,app,$(call obj,bench/sqlite_operations.c bench/postgres_operations.c \
    bench/postgres_batch.c)))

$(B)/bench/sqlite_operations: $(call obj,bench/sqlite_operations.c bench/raw_sqlite.c) $(B)/gen/app.o \
    $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

# libzdb is a peer where it is installed.
ZDB := $(shell pkg-config --exists zdb 2>/dev/null && echo 1)
CFLAGS_bench/postgres_operations := $(shell pkg-config --cflags libpq)
CFLAGS_bench/postgres_batch      := $(CFLAGS_bench/postgres_operations)
CFLAGS_bench/raw_postgres        := $(CFLAGS_bench/postgres_operations)
CFLAGS_bench/peer_zdb := $(if $(ZDB),-DBENCH_ZDB $(shell pkg-config --cflags zdb) \
    $(if $(findstring clang,$(CC)),,-Wno-clobbered))

$(B)/bench/postgres_operations: $(call obj,bench/postgres_operations.c bench/raw_postgres.c \
    bench/peer_zdb.c) $(B)/gen/app.o $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS) -lpq \
	    $(if $(ZDB),$(shell pkg-config --libs zdb))

$(B)/bench/postgres_batch: $(call obj,bench/postgres_batch.c bench/raw_postgres.c) $(B)/gen/app.o \
    $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS) -lpq

$(B)/bench/pool_operations: $(call obj,bench/pool_operations.c) $(BENCH_LIB) $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)

$(B)/bench/probe_cost: $(call obj,bench/probe_cost.c) $(B)/gen/app.o $(BENCH_LIB) $(B)/libloader.a \
    $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS) $(PRAX_LIBS)

$(B)/bench/schema_parsing: $(call obj,bench/schema_parsing.c) $(BENCH_LIB) $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS)
