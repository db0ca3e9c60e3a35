# Generated code that tests use. blog.prax is the schema of the database tests, social.prax that of
# relations and attributes: every tests/db test may include both headers and is linked with both.
DB_TEST_C := $(wildcard tests/db/test_*.c)
$(eval $(call prax_generate,tests/golden/schema/blog.prax,blog,$(DB_TEST_C:%.c=$(B)/%.o)))
$(eval $(call prax_generate,tests/golden/schema/social.prax,social,$(DB_TEST_C:%.c=$(B)/%.o)))
$(eval $(call prax_generate,tests/golden/schema/lists.prax,lists,$(B)/tests/db/test_db_list.o \
    $(B)/tests/db/test_pg_enums.o))
$(eval $(call prax_generate,tests/golden/schema/keys.prax,keys,$(B)/tests/db/test_db_batch_merge.o))
$(foreach t,$(notdir $(DB_TEST_C:%.c=%)),$(eval TEST_GEN_$(t) := $(B)/gen/blog.o $(B)/gen/social.o))

$(B)/gen/social.stamp: tests/golden/schema/social.sql
TEST_GEN_test_db_list += $(B)/gen/lists.o
TEST_GEN_test_pg_enums += $(B)/gen/lists.o
TEST_GEN_test_db_batch_merge += $(B)/gen/keys.o

.PHONY: golden
golden: $(B)/prax ## write the golden files of schema diagnostics and generated C anew
	@B=$(B) tests/unit/test_schema_golden.sh --write
	@B=$(B) tests/unit/test_gen_compile.sh --write
	@B=$(B) tests/unit/test_queries_golden.sh --write
	@docs/man/diagnostics.sh >docs/prax_diagnostics.7.md

# Memory that runs out is made by standing in for realloc.
$(B)/tests/unit/test_gen_memory: LDFLAGS_ALL += -Wl,--wrap=realloc,--wrap=free
