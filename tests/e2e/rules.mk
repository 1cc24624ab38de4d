# Programs of end-to-end tests that are made of this tree's parts; the tests that need them have them built.
e2e_CFLAGS = $(host-lib_CFLAGS)

# Sockets of this stack for a Linux peer: the conformance adapter's stack without packetdrill's side of it.
SOCKET_HOST_OBJS := $(patsubst %.c,$(B)/obj/%.o,tests/e2e/programs/socket_host.c \
                      $(filter-out %/adapter.c,$(wildcard tests/conformance/*.c)))
$(B)/tests/e2e/socket_host: $(SOCKET_HOST_OBJS) $(B)/lib/host-lib.a $(B)/lib/rss.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fno-lto -o $@ $^ $(STACK_LIBS) -lpthread
