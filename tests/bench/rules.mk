# Benchmarks: figures, not verdicts. Each program under tests/bench has its own rule; none is part of `make`.
bench_CFLAGS = $(host-lib_CFLAGS)
BENCH_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/*.c))

$(B)/bench/instructions: $(BENCH_OBJS) $(B)/obj/tests/support/eal.o $(B)/lib/host-lib.a $(B)/lib/rss.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -o $@ $^ $(STACK_LIBS) -lrte_net_ring

bench-instructions: $(B)/bench/instructions ## callgrind instructions per short connection, keepalive request and bulk segment
	@tests/bench/instructions.py $<

.PHONY: bench-instructions

# What grows with connections and workers, and what does not.
GROWTH_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/growth/*.c) tests/bench/raw_server.c tests/support/eal.c \
  tests/support/soft_port.c)
$(B)/bench/growth: $(GROWTH_OBJS) $(B)/lib/host-lib.a $(B)/lib/rss.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -o $@ $^ $(STACK_LIBS) -lrte_bus_vdev

bench-growth: $(B)/bench/growth ## instructions per short connection beside up to a million others, on 1 to 64 workers (5 minutes)
	@tests/bench/growth.py $<

.PHONY: bench-growth

# Rates: an end is a program of its own (tests/bench/rate/rate.h), built for each stack; rates.py plays them against each
# other. Linked as netbypassd is.
RATE_OBJS = $(B)/obj/tests/bench/rate/rate.o
RATE_MEMIF_OBJS = $(RATE_OBJS) $(B)/obj/tests/bench/rate/memif.o
RATE_ENDS := netbypass frame linux lwip
$(B)/bench/netbypass_end: $(RATE_MEMIF_OBJS) $(B)/lib/host-lib.a $(B)/lib/rss.a
$(B)/bench/frame_end $(B)/bench/lwip_end: $(RATE_MEMIF_OBJS)
$(B)/bench/linux_end: $(RATE_OBJS)
$(B)/bench/lwip_end: RATE_LIBS = -llwip
$(B)/obj/tests/bench/rate/lwip_end.o: bench_CFLAGS += -I/usr/include/lwip -Wno-strict-prototypes
$(RATE_ENDS:%=$(B)/bench/%_end): $(B)/bench/%_end: $(B)/obj/tests/bench/rate/%_end.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(STACK_LIBS) $(RATE_LIBS)

RATE_PROGRAMS := $(RATE_ENDS:%=$(B)/bench/%_end)
bench-rates: $(RATE_PROGRAMS) ## connections, requests, round trips and bulk of this stack, Linux and lwIP in one run (7 minutes)
	@tests/bench/rates.py $(B)/bench

bench-quick: $(RATE_PROGRAMS) ## the same in two minutes, with more noise
	@tests/bench/rates.py --rounds 3 --seconds 0.5 $(B)/bench

# What rules cost: one program in several modes, see tests/bench/rules/rules.h.
RULES_BENCH_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/rules/*.c))
$(RULES_BENCH_OBJS): bench_CFLAGS = $(flowrules_CFLAGS)
$(B)/bench/rules: $(RULES_BENCH_OBJS) $(filter %.a,$(flowrules_TEST_LIBS))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(flowrules_TEST_LIBS)

bench-rules: $(B)/bench/rules $(B)/nicsim ## latency of inserting, moving and deleting a rule through each backend; plans per second
	@tests/bench/rules.py $(B)
BENCHES += bench-rules

# Whatever is measured in seconds rather than instructions; each writes its results into build/bench.
BENCHES += bench-rates
bench: ## every benchmark that measures time; nothing else should be running
	@for b in $(BENCHES); do $(MAKE) --no-print-directory $$b || exit 1; done

.PHONY: bench bench-quick bench-rates bench-rules
