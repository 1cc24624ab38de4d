# Benchmarks: figures, not verdicts. Each program under tests/bench has its own rule; none is part of `make`.
bench_CFLAGS = $(host-lib_CFLAGS)
BENCH_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/*.c))

$(B)/bench/instructions: $(BENCH_OBJS) $(B)/obj/tests/support/eal.o $(B)/lib/host-lib.a $(B)/lib/rss.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -o $@ $^ $(DPDK_LIBS) -lrte_net_ring

bench-instructions: $(B)/bench/instructions ## callgrind instructions per short connection, keepalive request and bulk segment
	@tests/bench/instructions.py $<

.PHONY: bench-instructions
