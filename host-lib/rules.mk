host-lib_SRCS := $(wildcard host-lib/*/*.c)
host-lib_CFLAGS := -Ihost-lib/include -Ibase/include $(DPDK_CFLAGS) -DALLOW_EXPERIMENTAL_API
host-lib_TEST_LIBS = $(SUPPORT_OBJS) $(B)/lib/host-lib.a $(DPDK_LIBS)
