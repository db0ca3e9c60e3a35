# Tests in a browser; they skip where there is none.
$(B)/tests/browser/sample: $(B)/tests/browser/sample.o $(B)/libloader.a $(B)/libprax.a
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LOADER_LIBS) $(PRAX_LIBS)

TEST_DEPS += $(B)/tests/browser/sample
TESTS     += tests/browser/test_flamegraph.sh tests/browser/test_dhat_viewer.sh
