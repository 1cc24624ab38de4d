# How much of a bottleneck a connection fills, in virtual time: figures (`make goodput`), and bounds for test-long.
$(B)/sim/goodput: $(B)/obj/tests/sim/goodput.o $(B)/obj/tests/sim/cubic_model.o $(filter %.a %.o,$(sim_TEST_LIBS))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fno-lto -o $@ $^ $(filter-out %.a %.o,$(sim_TEST_LIBS)) -lcmocka -lm

goodput: $(B)/sim/goodput ## goodput over round trip, loss and congestion control, in virtual time (some minutes)
	@$<

# Part of test-long: the bounds of goodput, and thousands of seeds (of each of the nine kinds of path).
sim-long: $(B)/sim/goodput $(B)/tests/sim/test_lossy_link
	@tests/run -t 600 tests/sim/check_goodput
	@SIM_SEEDS=2000 tests/run -t 600 $(B)/tests/sim/test_lossy_link

.PHONY: goodput sim-long
