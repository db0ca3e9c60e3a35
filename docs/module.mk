# Manual pages, from the pages of docs/ in Markdown, and completions of bash.
MAN := $(B)/man/prax.1 $(B)/man/prax-bpf.1 $(B)/man/prax_schema.5 $(B)/man/prax_diagnostics.7 \
       $(B)/man/prax_queries.5 $(B)/man/prax_relations.7 $(B)/man/prax_batches.7 $(B)/man/prax_sql.7 \
       $(B)/man/prax_client.7

PROGRAMS += $(MAN)

$(B)/man/%.1: docs/%.md docs/man/man.awk
	$(call say,MAN,$@)mkdir -p $(@D) && \
	    awk -v name=$* -v section=1 -v version=$(VERSION) -f docs/man/man.awk $< > $@

$(B)/man/%.5: docs/%.5.md docs/man/man.awk
	$(call say,MAN,$@)mkdir -p $(@D) && \
	    awk -v name=$* -v section=5 -v version=$(VERSION) -f docs/man/man.awk $< > $@

$(B)/man/%.7: docs/%.7.md docs/man/man.awk
	$(call say,MAN,$@)mkdir -p $(@D) && \
	    awk -v name=$* -v section=7 -v version=$(VERSION) -f docs/man/man.awk $< > $@

.PHONY: install-docs
install: install-docs
install-docs: $(MAN)
	$(Q)install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 man/man5 man/man7 \
	    bash-completion/completions)
	$(Q)install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man1
	$(Q)install -m 644 $(filter %.5,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man5
	$(Q)install -m 644 $(filter %.7,$(MAN)) $(DESTDIR)$(PREFIX)/share/man/man7
	$(Q)install -m 644 docs/completions/prax docs/completions/prax-bpf \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions
