flowrules_SRCS := $(wildcard flowrules/*.c flowrules/*/*.c)
flowrules_CFLAGS := -Iflowrules/include -Irss/include -Ibase/include $(DPDK_CFLAGS) -DALLOW_EXPERIMENTAL_API
flowrules_TEST_LIBS = $(B)/lib/flowrules.a $(DPDK_LIBS) -libverbs
