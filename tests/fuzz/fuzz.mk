# Fuzzing of everything that reads what others wrote: clang, libFuzzer and the address sanitizer, in
# a build of its own. FUZZ_SECONDS for each; what is found is left in build/fuzz.
FUZZ_SECONDS ?= 60
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SRC     := $(wildcard loader/unwind/*.c loader/target/*.c loader/profile/*.c orm/base/*.c orm/schema/*.c orm/gen/*.c) \
                $(wildcard orm/import/*.c orm/driver/postgres_*code.c) orm/driver/layout.c \
                $(addprefix orm/driver/postgres_,scan.c numeric.c array.c form.c form_plain.c known.c)
FUZZ_OBJ     := $(FUZZ_SRC:%.c=build/fuzz/%.o)
FUZZ_CC      := $(CLANG) -std=gnu11 -D_GNU_SOURCE -Iorm/include -Iusdt/include -I. -O1 -g \
                -fno-omit-frame-pointer
-include $(FUZZ_OBJ:.o=.d)

$(FUZZ_OBJ): build/fuzz/%.o: %.c
	$(call say,FUZZCC,$@)mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize-recover=undefined -MMD -MP -c $< -o $@

$(FUZZ_NAMES:%=build/fuzz/%): build/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/made_elf.h $(FUZZ_OBJ)
	$(call say,FUZZLD,$@)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -o $@ $< $(FUZZ_OBJ)

# New inputs go to build/fuzz/NAME.corpus, those of the tree are only read.
.PHONY: fuzz $(FUZZ_NAMES:%=fuzz-%)
fuzz: $(FUZZ_NAMES:%=fuzz-%) ## fuzz each reader for FUZZ_SECONDS=60
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: build/fuzz/%
	$(call say,FUZZ,$*)mkdir -p $<.corpus && $< -max_total_time=$(FUZZ_SECONDS) -max_len=65536 \
	    -timeout=10 -rss_limit_mb=1024 -artifact_prefix=$<- -print_final_stats=1 \
	    $<.corpus tests/fuzz/corpus/$* >$<.log 2>&1 || { tail -n 40 $<.log; exit 1; }; \
	    grep -E 'cov:|Done' $<.log | tail -n 2

$(B)/tests/fuzz/seed: $(B)/tests/fuzz/seed.o $(B)/libloader.a $(B)/libpraxc.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS) $(PRAX_LIBS)
