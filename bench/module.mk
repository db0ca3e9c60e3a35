# Benches: bench/NAME.c is a program on the harness in bench/lib. `make bench` runs them all.
-include bench/*/module.mk
BENCH_NAMES := sqlite_operations postgres_operations postgres_batch pool_operations schema_parsing probe_cost
BENCHES     += $(BENCH_NAMES:%=$(B)/bench/%)
BENCHES     += bench/generated_code.sh
BENCH_LIB   := $(call obj,bench/lib/bench.c)

$(eval $(call prax_generate,bench/app.prax,app,$(call obj,bench/lib/users.c bench/postgres_batch.c)))

# The operations of an ORM. SOCI (whose headers want Boost's) and libzdb are peers where they are
# installed.
SOCI := $(if $(wildcard /usr/include/boost/fusion/algorithm.hpp),$(wildcard /usr/include/soci/soci.h))
ZDB  := $(shell pkg-config --exists zdb 2>/dev/null && echo 1)
CFLAGS_bench/postgres_operations := $(shell pkg-config --cflags libpq)
CFLAGS_bench/postgres_batch      := $(CFLAGS_bench/postgres_operations)
CFLAGS_bench/raw_postgres        := $(CFLAGS_bench/postgres_operations)
CFLAGS_bench/peer_zdb := $(if $(ZDB),-DBENCH_ZDB $(shell pkg-config --cflags zdb) \
    $(if $(findstring clang,$(CC)),,-Wno-clobbered))

$(B)/bench/peer_soci.o: bench/peer_soci.cpp
	$(call say,CXX,$@)mkdir -p $(@D) && $(CXX) $(CPPFLAGS_ALL) -std=c++17 $(OPT_$(PROFILE)) -Wall -Wextra \
	    -Werror -fPIC -pthread $(SANITIZE) $(if $(SOCI),-DBENCH_SOCI $(shell pkg-config --cflags libpq)) \
	    -MMD -MP -c $< -o $@

USERS_OBJ  := $(call obj,bench/lib/users.c bench/peer_zdb.c) $(B)/bench/peer_soci.o $(B)/gen/app.o $(BENCH_LIB)
USERS_LIBS := $(if $(SOCI),-lsoci_core -lsoci_sqlite3 -lsoci_postgresql) \
              $(if $(ZDB),$(shell pkg-config --libs zdb)) -lstdc++

$(B)/bench/sqlite_operations: $(call obj,bench/sqlite_operations.c bench/raw_sqlite.c) $(USERS_OBJ) \
    $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS) $(USERS_LIBS)

$(B)/bench/postgres_operations: $(call obj,bench/postgres_operations.c bench/raw_postgres.c) $(USERS_OBJ) \
    $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PRAX_LIBS) -lpq $(USERS_LIBS)

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
