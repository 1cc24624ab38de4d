# netbypassd. Loaded applications use nb_conn_* of the program, so all of host-lib is linked in and its symbols are exported.
daemon_SRCS := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
daemon_CFLAGS := -Idaemon -Ihost-lib/include -Iflowrules/include -Irss/include -Ibase/include $(DPDK_CFLAGS) -DALLOW_EXPERIMENTAL_API
daemon_TEST_LIBS = $(B)/lib/daemon.a $(B)/lib/flowrules.a $(B)/lib/host-lib.a $(B)/lib/rss.a $(STACK_LIBS) -ljson-c -lyaml

TARGETS += $(B)/netbypassd
$(B)/netbypassd: $(B)/obj/daemon/main.o $(B)/lib/daemon.a $(B)/lib/flowrules.a $(B)/lib/host-lib.a $(B)/lib/rss.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -rdynamic -o $@ $(filter-out %/host-lib.a %/rss.a,$^) \
	  -Wl,--whole-archive $(B)/lib/host-lib.a -Wl,--no-whole-archive $(B)/lib/rss.a $(STACK_LIBS) -ljson-c -lyaml
