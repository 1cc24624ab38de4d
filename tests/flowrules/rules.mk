# The planner's benchmark: figures, not a verdict; not part of `make`.
$(B)/bench/planner: $(B)/obj/tests/flowrules/bench_planner.o $(B)/lib/flowrules.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(flowrules_TEST_LIBS)

bench-planner: $(B)/bench/planner ## plans per second on a table of a million flows
	@$<

.PHONY: bench-planner
