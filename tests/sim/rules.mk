# How much of a bottleneck a connection fills, in virtual time: figures (`make goodput`), and bounds (check_goodput) for
# test-long.
$(B)/sim/goodput: $(patsubst %,$(B)/obj/tests/sim/%.o,goodput goodput_run cubic_model bbr_rounds) $(filter %.a %.o,$(sim_TEST_LIBS))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fno-lto -o $@ $^ $(filter-out %.a %.o,$(sim_TEST_LIBS)) -lcmocka -lm

goodput: $(B)/sim/goodput ## goodput over round trip, loss and congestion control, in virtual time (some minutes)
	@$<

.PHONY: goodput
