# netbypass. One Makefile, non-recursive; each room lists what it builds in ROOM/rules.mk.
#   make            build everything under build/
#   make help       every target with a line of explanation
# Variables: V=1 full command lines, SAN=1 ASan+UBSan build under build/asan, CONFIG=FILE for `make run`, PROFILE=use what
# `make profiled` has built, under build/profiled (with any target: `make PROFILE=use bench-rates`).

V ?= 0
SAN ?= 0
PROFILE ?=
PREFIX ?= /usr/local
CC = gcc
Q = $(if $(filter 1,$(V)),,@)
# For targets that build and then run something: as many jobs as there are CPUs, unless the caller has said how many.
BUILD = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

B := $(if $(filter 1,$(SAN)),build/asan,$(if $(PROFILE),build/profiled,build))

ROOMS := rss host-lib flowrules firmware-sim apps daemon cli
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wsign-compare \
        $(if $(CI),-Werror)
SANFLAGS := $(if $(filter 1,$(SAN)),-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -fPIC -MMD -MP $(WARN) $(SANFLAGS) $(CFLAGS)

# For a room whose functions should be inlined across its files: the objects hold code for an ordinary link (tests, which
# say -fno-lto) and what the optimizer needs for a whole program.
PROFILE_FLAGS := $(if $(filter generate,$(PROFILE)),-fprofile-generate) \
                 $(if $(filter use,$(PROFILE)),-fprofile-use -fprofile-partial-training -Wno-missing-profile)
WHOLE_PROGRAM := $(if $(filter 1,$(SAN)),,-O3 -flto=auto -ffat-lto-objects $(PROFILE_FLAGS))

# Evaluated once, and empty (not an error) before `make deps` has run.
DPDK_CFLAGS := $(shell pkg-config --cflags libdpdk 2>/dev/null)
DPDK_LIBS := $(shell pkg-config --libs libdpdk 2>/dev/null)
STACK_LIBS := $(filter-out -lbsd,$(DPDK_LIBS)) -lmd # what host-lib stands on; libbsd has a deprecated MD5 of its own

# --- rooms -----------------------------------------------------------------------------------------------------------
# A room's rules.mk sets, for its room R:
#   R_SRCS        sources that form build/lib/R.a
#   R_CFLAGS      compile flags: include paths of the rooms it may use (DESIGN: rooms and arrows), package flags
#   R_OPTIMIZE    optimization flags of R_SRCS, after CFLAGS
#   R_TEST_LIBS   archives and flags its unit tests under tests/R/ link with
# and adds programs and shared objects to TARGETS.
TARGETS :=
include $(wildcard $(ROOMS:%=%/rules.mk))
include tests/rules.mk

all: $(TARGETS)
.DEFAULT_GOAL := all

room_of = $(firstword $(filter-out tests obj,$(subst /, ,$(1))))
$(B)/obj/%.o: %.c Makefile | deps-present
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/%,$<),-Itests/support) $($(call room_of,$*)_CFLAGS) \
	  $($(call room_of,$*)_OPTIMIZE) -c -o $@ $<

define room_archive
$(B)/lib/$(1).a: $$($(1)_SRCS:%.c=$(B)/obj/%.o)
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_archive,$(r))))

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- by profile ------------------------------------------------------------------------------------------------------
# Counts of what ran lie beside the objects they are of, which are then made anew.
PROFILED_WORKS := short-connection keepalive-request bulk-segment
profiled: ## all of it again under build/profiled, the stack optimized by how the instruction benchmark runs it
	@rm -rf build/profiled
	@$(BUILD) PROFILE=generate build/profiled/bench/instructions
	@for work in $(PROFILED_WORKS); do build/profiled/bench/instructions $$work >/dev/null 2>&1 || exit 1; done
	@find build/profiled -type f ! -name '*.gcda' -delete
	@$(BUILD) PROFILE=use all

# --- dependencies ----------------------------------------------------------------------------------------------------
deps: ## install what building, running and testing need (apt; lists it first; without root prints the line, exits 2)
	@scripts/deps

deps-present:
	@pkg-config --exists libdpdk json-c yaml-0.1 2>/dev/null || \
	  { echo "packages are missing; run: make deps" >&2; exit 2; }

# --- running ---------------------------------------------------------------------------------------------------------
run: deps ## start the demo system in its own network namespace (CONFIG=FILE for another configuration)
	@$(BUILD) all
	@scripts/demo run --watch-parent $(if $(CONFIG),--config $(CONFIG))

shell: ## a shell inside the running demo's namespace, with build/ on PATH
	@scripts/demo shell

demo: deps ## the same system, scripted: requests, flows, rules and workers shown; exit 0 or the reason
	@$(BUILD) all
	@scripts/demo show --watch-parent

# --- checking --------------------------------------------------------------------------------------------------------
lint: ## cppcheck over the tree
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability --std=c11 $(ROOMS)

format: ## clang-format every source in place
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all ## install programs, library, headers and man pages under PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/lib/netbypass \
	  $(DESTDIR)$(PREFIX)/include/netbypass $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(B)/netbypassd $(B)/netbypassctl $(B)/nicsim $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(B)/libnetbypass.so $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(APP_MODULES) $(DESTDIR)$(PREFIX)/lib/netbypass
	install -m 644 $(wildcard */include/netbypass/*.h) $(DESTDIR)$(PREFIX)/include/netbypass
	install -m 644 $(wildcard docs/man/*.1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard docs/man/*.8) $(DESTDIR)$(PREFIX)/share/man/man8

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | \
	  while read -r target words; do printf '  make %-19s %s\n' "$$target" "$$words"; done

.PHONY: all profiled deps deps-present run shell demo lint format install clean help
