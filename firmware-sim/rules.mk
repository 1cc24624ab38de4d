# The archive holds all that unit tests link with. Not in it: the launcher's main, and the interposing functions, which
# would stand before open() and mmap() of whoever links them.
firmware-sim_SRCS := $(filter-out firmware-sim/main.c,$(wildcard firmware-sim/*.c)) $(wildcard firmware-sim/nics/*/*.c)
firmware-sim_CFLAGS := -Ifirmware-sim -Ifirmware-sim/include $(DPDK_CFLAGS)
firmware-sim_TEST_LIBS = $(B)/lib/firmware-sim.a

TARGETS += $(B)/nicsim $(B)/libnicsim.so

$(B)/nicsim: $(B)/obj/firmware-sim/main.o $(B)/lib/firmware-sim.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^

# The preloaded library runs within other people's programs and their signal handlers: symbols hidden except what it
# interposes, thread-local storage that never allocates, and no sanitizer even when everything else has one (it is
# loaded before a sanitizer's runtime is up; the same code is sanitized in the unit tests).
preload_OBJS := $(patsubst %.c,$(B)/preload/%.o,$(firmware-sim_SRCS) $(wildcard firmware-sim/preload/*.c))
preload_CFLAGS := -fvisibility=hidden -ftls-model=initial-exec -fno-omit-frame-pointer

$(B)/preload/%.o: %.c | deps-present
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -fsanitize=% -fno-sanitize%,$(ALL_CFLAGS)) $(preload_CFLAGS) $(firmware-sim_CFLAGS) -c -o $@ $<

$(B)/libnicsim.so: $(preload_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-z,defs -Wl,-soname,libnicsim.so -o $@ $^

# Where an installed nicsim looks for it.
install: install-libnicsim
install-libnicsim: $(B)/libnicsim.so
	install -d $(DESTDIR)$(PREFIX)/lib/netbypass
	install -m 755 $< $(DESTDIR)$(PREFIX)/lib/netbypass

.PHONY: install-libnicsim
