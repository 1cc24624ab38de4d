# The stack, as an archive that programs and tests link, and as libnetbypass.so for applications with a main of their own.
host-lib_SRCS := $(wildcard host-lib/*/*.c)
host-lib_CFLAGS := -Ihost-lib/include -Irss/include -Ibase/include $(DPDK_CFLAGS) -DALLOW_EXPERIMENTAL_API
host-lib_OPTIMIZE = $(WHOLE_PROGRAM)
host-lib_TEST_LIBS = $(SUPPORT_OBJS) $(B)/lib/host-lib.a $(B)/lib/rss.a $(STACK_LIBS) -lrte_net_ring -lrte_bus_vdev

TARGETS += $(B)/libnetbypass.so
$(B)/libnetbypass.so: $(B)/lib/host-lib.a $(B)/lib/rss.a host-lib/libnetbypass.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(WHOLE_PROGRAM) -shared -Wl,-soname,libnetbypass.so \
	  -Wl,--version-script=host-lib/libnetbypass.map -o $@ -Wl,--whole-archive $< -Wl,--no-whole-archive $(B)/lib/rss.a $(STACK_LIBS) \
	  $(if $(filter 1,$(SAN)),,-Wl,-z,defs)
