# Bundled applications. Each folder is one module that netbypassd loads; it uses the public API only.
apps_SRCS := $(wildcard apps/*/*.c)
apps_CFLAGS := -Ihost-lib/include -Ibase/include $(DPDK_CFLAGS)
apps_TEST_LIBS = $(B)/lib/apps.a $(DPDK_LIBS)
