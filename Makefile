# Prax: one non-recursive build. `make help` lists what there is to type.
#
# Every folder adds its sources through its own module.mk; this file knows the profiles, the three
# kinds of rule (C, BPF, generated C) and the products. Everything that is built lies in
# build/$(PROFILE)/, so profiles never mix and `rm -rf build` forgets all.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

VERSION := $(shell sed -n 's/^.define PRAX_VERSION "\(.*\)"/\1/p' orm/include/prax/version.h)

PROFILE ?= dev
V       ?= 0
B       := build/$(PROFILE)

CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
# The archives hold machine code beside gcc's intermediate code, so that any compiler can link them.
# clang's would need its own linker: with it there is none.
LTO    := $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)

# ---- profiles: those of the profiling guide ------------------------------------------------------
OPT_dev       := -O0 -g3
OPT_dev-opt   := -O2 -g
OPT_release   := -O3 $(LTO)
OPT_profiling := -O3 -g $(LTO)
OPT_bench     := -O3 $(LTO)
PROFILES      := dev dev-opt release profiling bench
ifeq ($(filter $(PROFILE),$(PROFILES)),)
$(error PROFILE=$(PROFILE) is unknown; choose one of: $(PROFILES))
endif

AR     := $(if $(findstring clang,$(CC)),llvm-ar,gcc-ar)
CLANG  ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)

WARN   := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wformat=2 -Wno-format-nonliteral -Werror
CFLAGS ?=
CPPFLAGS_ALL := -D_GNU_SOURCE -Iorm/include -Iusdt/include -I. -I$(B)/gen $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(OPT_$(PROFILE)) -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
                -fPIC -fvisibility=hidden -pthread $(WARN) $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL  := -pthread -Wl,-z,relro,-z,now $(OPT_$(PROFILE)) $(SANITIZE) $(LDFLAGS)

ifeq ($(V),0)
Q   := @
say  = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(B)/%,%,$(2))';
else
say  =
endif

.PHONY: all
all: default

# The objects of sources.
obj = $(patsubst %.S,$(B)/%.o,$(patsubst %.c,$(B)/%.o,$(1)))

# ---- modules -------------------------------------------------------------------------------------
# A module.mk may set: <area>_SRC (C sources), PROGRAMS, TESTS (programs and scripts that print TAP),
# BENCHES, GEN_HDR (generated headers; the objects that include one name it as their prerequisite),
# and rules of its own.
GEN_HDR  :=
PROGRAMS :=
TESTS    :=
BENCHES  :=
MODULES  := $(strip orm/module.mk usdt/module.mk bpf/module.mk loader/module.mk \
              $(wildcard examples/module.mk bench/module.mk docs/module.mk) tests/module.mk)
include $(MODULES)

.PHONY: default libs programs
default: programs
libs:    $(B)/libprax.a $(B)/libprax.so
programs: libs $(PROGRAMS)

# ---- rules ---------------------------------------------------------------------------------------
$(B)/%.o: %.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CFLAGS_$(<:%.c=%)) \
	    -MMD -MP -c $< -o $@

$(B)/%.o: $(B)/%.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/%.o: %.S
	$(call say,AS,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) -MMD -MP -c $< -o $@

-include $(shell test -d $(B) && find $(B) -name '*.d')

# ---- targets for people --------------------------------------------------------------------------
.PHONY: help deps lint check test bench demo clean install
help: ## what there is to type
	@printf 'make [target] [PROFILE=%s] [V=1] [SANITIZE=-fsanitize=address,undefined]\n\n' \
	    "$$(echo $(PROFILES) | tr ' ' '|')"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

deps: ## install what a build and its tests need (apt; elsewhere: print the list)
	@mk/deps.sh

lint: $(GEN_HDR) ## include layers, clang-format, clang-tidy, cppcheck
	@B=$(B) CPPFLAGS="$(CPPFLAGS_ALL)" mk/lint.sh

test: programs $(TESTS) ## run every test that is built, without deps and lint
	@B=$(B) tests/run.sh $(TESTS)

check: ## deps, build, lint, all tests: what CI runs
	@mk/deps.sh
	@$(MAKE) --no-print-directory programs
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

bench: ## run all benches in PROFILE=bench and print their tables
	@$(MAKE) --no-print-directory PROFILE=bench run-benches

demo: ## deps, build, profile a real program from the kernel, show what it did
	@mk/deps.sh
	@$(MAKE) --no-print-directory PROFILE=profiling programs
	@B=build/profiling mk/demo.sh

PREFIX ?= /usr/local
install: programs ## copy programs, library, headers and prax.pc to $(DESTDIR)$(PREFIX)
	$(Q)install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pkgconfig include/prax)
	$(Q)install -m 755 $(B)/prax $(B)/prax-bpf $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 644 $(B)/libprax.a $(DESTDIR)$(PREFIX)/lib
	$(Q)install -m 755 $(B)/libprax.so $(DESTDIR)$(PREFIX)/lib/libprax.so.0
	$(Q)ln -sf libprax.so.0 $(DESTDIR)$(PREFIX)/lib/libprax.so
	$(Q)install -m 644 orm/include/prax/* usdt/include/prax/* $(DESTDIR)$(PREFIX)/include/prax
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' orm/prax.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/prax.pc
	$(Q)install -d $(addprefix $(DESTDIR)$(PREFIX)/,share/prax lib/cmake/Prax)
	$(Q)install -m 644 orm/share/prax.mk orm/share/prax.tmLanguage.json $(DESTDIR)$(PREFIX)/share/prax
	$(Q)install -m 644 orm/share/PraxConfig.cmake $(DESTDIR)$(PREFIX)/lib/cmake/Prax

clean: ## forget everything that was built
	$(Q)rm -rf build

.PHONY: run-benches
run-benches: programs $(BENCHES)
	@B=$(B) bench/run.sh $(BENCHES)
