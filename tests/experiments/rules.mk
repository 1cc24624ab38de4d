# Experiments: figures of the literature beside our own, in virtual time: how fast the machine is has no part in them.
experiments_CFLAGS = $(host-lib_CFLAGS) -Ifirmware-sim/include
EXPERIMENT_LIBS = $(B)/libnicsim.so $(B)/obj/tests/support/ring_port.o $(B)/lib/host-lib.a $(B)/lib/rss.a
$(B)/experiments/locality: $(B)/obj/tests/experiments/locality.o $(EXPERIMENT_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -o $@ $< $(EXPERIMENT_LIBS) -Wl,-rpath,$(CURDIR)/$(B) $(DPDK_LIBS) \
	  -lrte_net_ring -lrte_bus_vdev

experiments: $(B)/experiments/locality ## figures of the literature beside ours; writes docs/experiments.md
	@tests/experiments/experiments.py $< docs

.PHONY: experiments
