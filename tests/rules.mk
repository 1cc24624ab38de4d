# Unit tests: every tests/ROOM/**/test_*.c is one cmocka program linked with ROOM_TEST_LIBS and tests/support.
# Programs that need a namespace, a NIC model or a real client are tests/e2e/test_*.py. tests/run counts them all.
SUPPORT_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))
UNIT_TESTS := $(patsubst %.c,$(B)/%,$(sort $(shell find $(ROOMS:%=tests/%) tests/sim tests/nicsim tests/moves -name 'test_*.c' 2>/dev/null)))
# tests/sim runs the stack in virtual time: it and the builders it shares with tests/host-lib know what host-lib knows.
support_CFLAGS = $(host-lib_CFLAGS)
sim_CFLAGS = $(host-lib_CFLAGS)
sim_TEST_LIBS = $(host-lib_TEST_LIBS)
# tests/nicsim has the simulated NIC in the test's own process, under DPDK's own driver. The library must come before
# DPDK's, and is found where it was built.
nicsim_CFLAGS = -Ifirmware-sim/include $(DPDK_CFLAGS)
nicsim_TEST_LIBS = $(B)/libnicsim.so -Wl,-rpath,$(CURDIR)/$(B) $(DPDK_LIBS)
# tests/moves has both: a whole data plane and netbypassd's steering over that card.
moves_CFLAGS = $(daemon_CFLAGS) -Ifirmware-sim/include
moves_TEST_LIBS = $(B)/obj/tests/moves/port_82599.o $(B)/obj/tests/moves/steering_turns.o $(SUPPORT_OBJS) $(B)/libnicsim.so -Wl,-rpath,$(CURDIR)/$(B) \
  $(daemon_TEST_LIBS) -lrte_net_ring -lrte_bus_vdev -Wl,--wrap=nb_runtime_way_opens
TEST_LONG := $(sort $(wildcard tests/long/test_*.py))
# What pages promise, checked against the tree.
DOC_TESTS := $(sort $(wildcard tests/docs/test_*.py))
E2E_TESTS := $(sort $(wildcard tests/e2e/test_*.py))

# What a unit test is rebuilt for. A function, because make would replace a % written in the rule itself.
test_archives = $(filter %.a %.o %.so,$($(call room_of,$(1))_TEST_LIBS))

.SECONDEXPANSION:
$(UNIT_TESTS): $(B)/tests/%: $(B)/obj/tests/%.o $$(call test_archives,$$*)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fno-lto -o $@ $^ $(filter-out %.a %.o %.so,$($(call room_of,$*)_TEST_LIBS)) -lcmocka

unit: $(UNIT_TESTS) ## unit tests only, no root needed
	@tests/run -j 2 $^ $(DOC_TESTS)

check: unit

asan: ## the same unit tests and programs, built with ASan and UBSan
	@$(MAKE) --no-print-directory SAN=1 unit

test: deps ## everything CI runs: unit, end to end, one sanitizer pass; ends with 'N passed, N failed, N skipped'
	@$(MAKE) --no-print-directory CI=1 test-built

# What only measures is not run by tests, but compiled: it uses the same interfaces.
MEASURING_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/*.c tests/bench/*/*.c tests/experiments/*.c))

test-built:
	@$(BUILD) all $(UNIT_TESTS) $(MEASURING_OBJS)
	@$(BUILD) SAN=1 all $(patsubst $(B)/%,build/asan/%,$(UNIT_TESTS))
	@tests/run -j 2 $(UNIT_TESTS) $(patsubst $(B)/%,build/asan/%,$(UNIT_TESTS)) $(DOC_TESTS) $(E2E_TESTS)

# What takes longer. Parts that live in virtual time, fuzz or only have to end well run two at a time; then, one by one
# and with nothing beside them, those that look at what real time brings. A part that fails does not keep the others from
# running; what is built is the same for all, so that no part builds anything another one uses.
LONG_UNIT := sim/test_moves moves/test_moves_82599 sim/test_lossy_link flowrules/test_planner_profiles
LONG_QUIET = $(addprefix tests/long/test_,moving_load_full.py rates.py)
LONG_BESIDE = \
  $(foreach f,$(FUZZERS),"FUZZ_S=$(FUZZ_S) tests/fuzz/check $(f)") \
  "SIM_SEEDS=10000 $(B)/tests/sim/test_moves" \
  "NIC_SEEDS=10000 $(B)/tests/moves/test_moves_82599" \
  "SIM_SEEDS=2000 $(B)/tests/sim/test_lossy_link" \
  "NB_SEEDS=300 $(B)/tests/flowrules/test_planner_profiles" \
  tests/sim/check_goodput \
  $(filter-out $(LONG_QUIET),$(TEST_LONG)) \
  $(patsubst %,"NB_BUILD=build/asan %",$(filter-out %/test_bench.py,$(E2E_TESTS)))

test-long: deps ## what takes longer (an hour): thousands of seeds, load for longer, end-to-end tests on sanitizer builds, each fuzz target for FUZZ_S=60 seconds
	@$(BUILD) all $(B)/sim/goodput $(LONG_UNIT:%=$(B)/tests/%) $(RATE_PROGRAMS) $(B)/bench/growth $(B)/experiments/locality
	@$(BUILD) SAN=1 all build/asan/tests/e2e/socket_host
	@$(BUILD) $(FUZZERS:%=build/fuzz/fuzz_%)
	@tests/run -t 3600 -j 2 $(LONG_BESIDE) -j 1 "NB_WRK_S=10 tests/e2e/test_http.py" $(LONG_QUIET)

.PHONY: unit check asan test test-built test-long

include $(wildcard tests/*/rules.mk)
