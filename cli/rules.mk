# netbypassctl. Speaks the control protocol and nothing else: no DPDK, no header of another room but base's.
cli_SRCS := $(filter-out cli/main.c,$(wildcard cli/*.c))
cli_CFLAGS := -Icli -Ibase/include
cli_TEST_LIBS = $(B)/lib/cli.a -ljson-c

TARGETS += $(B)/netbypassctl
$(B)/netbypassctl: $(B)/obj/cli/main.o $(B)/lib/cli.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ -ljson-c
