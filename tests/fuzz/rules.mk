# Fuzz targets: tests/fuzz/fuzz_X.c is LLVMFuzzerTestOneInput for clang's libFuzzer. A unit test, tests/ROOM/**/
# test_fuzz_X.c, includes it and runs it over fixed seeds, so that it is exercised without clang, too; from its place
# follows the room whose flags and libraries the target is built with. Findings and corpora lie under build/fuzz/X/; a
# few inputs that reach far are kept in tests/fuzz/corpus/X and begin each run.
FUZZ_S ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=undefined

# What a room's unit tests are linked with, as clang builds it.
fuzz_room = $(word 2,$(subst /, ,$(shell find tests -name test_fuzz_$(1).c)))
fuzz_libs = $(patsubst $(B)/%,build/fuzz/%,$($(call fuzz_room,$(1))_TEST_LIBS))

build/fuzz/obj/%.o: %.c | deps-present
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)clang -std=gnu17 -D_GNU_SOURCE -fPIC -MMD -MP $(FUZZ_FLAGS) -iquote tests/support $($(call room_of,$*)_CFLAGS) \
	  -c -o $@ $<

define fuzz_archive
build/fuzz/lib/$(1).a: $$($(1)_SRCS:%.c=build/fuzz/obj/%.o)
	@mkdir -p $$(@D)
	$$(call say,FUZZAR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call fuzz_archive,$(r))))

define fuzzer
build/fuzz/obj/tests/fuzz/fuzz_$(1).o: fuzz_CFLAGS = $$($(call fuzz_room,$(1))_CFLAGS)
build/fuzz/fuzz_$(1): build/fuzz/obj/tests/fuzz/fuzz_$(1).o $$(filter %.a %.o,$$(call fuzz_libs,$(1)))
	$$(call say,FUZZLD,$$@)
	$$(Q)clang $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(filter-out %.a %.o,$$(call fuzz_libs,$(1))) -lcmocka

fuzz-$(1): build/fuzz/fuzz_$(1)
	@mkdir -p build/fuzz/$(1)/corpus
	build/fuzz/fuzz_$(1) -max_total_time=$(FUZZ_S) -timeout=10 -print_final_stats=1 -verbosity=0 \
	  -artifact_prefix=build/fuzz/$(1)/ build/fuzz/$(1)/corpus $$(wildcard tests/fuzz/corpus/$(1))
.PHONY: fuzz-$(1)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

fuzz: $(FUZZERS:%=fuzz-%) ## run every fuzz target for FUZZ_S=60 seconds each (clang)

.PHONY: fuzz
