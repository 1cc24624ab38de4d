# Fuzz targets: tests/fuzz/fuzz_X.c is LLVMFuzzerTestOneInput for clang's libFuzzer. The same file is included by a unit
# test (tests/**/test_fuzz_X.c) that runs it over fixed seeds, so that it is exercised without clang, too.
# Findings and what was learnt lie under build/fuzz/X/.
FUZZ_S ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

# What each is linked with: the sources of these rooms or these sources, compiled by clang, and these libraries.
FUZZ_ROOMS_config := daemon flowrules host-lib
FUZZ_SRCS_http := apps/http/parser.c apps/http/response.c
FUZZ_ROOMS_rule_text := flowrules
FUZZ_ROOMS_segment := host-lib
FUZZ_ROOMS_tcp_input := host-lib
FUZZ_LIBS = $(DPDK_LIBS) -ljson-c -lyaml

fuzz_CFLAGS = $(daemon_CFLAGS)
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=undefined
fuzz_sources = tests/fuzz/fuzz_$(1).c $(FUZZ_SRCS_$(1)) $(foreach r,$(FUZZ_ROOMS_$(1)),$($(r)_SRCS)) \
               $(if $(filter host-lib,$(FUZZ_ROOMS_$(1))),tests/support/eal.c tests/support/tcb_check.c)

build/fuzz/obj/%.o: %.c | deps-present
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)clang -std=gnu17 -D_GNU_SOURCE -fPIC -MMD -MP $(FUZZ_FLAGS) $($(call room_of,$*)_CFLAGS) -c -o $@ $<

define fuzzer
build/fuzz/fuzz_$(1): $(patsubst %.c,build/fuzz/obj/%.o,$(call fuzz_sources,$(1)))
	$$(call say,FUZZLD,$$@)
	$$(Q)clang $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(FUZZ_LIBS)

fuzz-$(1): build/fuzz/fuzz_$(1)
	@mkdir -p build/fuzz/$(1)/corpus
	build/fuzz/fuzz_$(1) -max_total_time=$(FUZZ_S) -timeout=10 -print_final_stats=1 -verbosity=0 \
	  -artifact_prefix=build/fuzz/$(1)/ build/fuzz/$(1)/corpus
.PHONY: fuzz-$(1)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

fuzz: $(FUZZERS:%=fuzz-%) ## run every fuzz target for FUZZ_S=60 seconds each (clang)

.PHONY: fuzz
