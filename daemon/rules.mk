daemon_SRCS := $(filter-out daemon/main.c,$(wildcard daemon/*.c))
daemon_CFLAGS := -Idaemon -Ihost-lib/include -Iflowrules/include -Ibase/include $(DPDK_CFLAGS) -DALLOW_EXPERIMENTAL_API
daemon_TEST_LIBS = $(B)/lib/daemon.a $(B)/lib/flowrules.a $(B)/lib/host-lib.a $(DPDK_LIBS) -ljson-c -lyaml
