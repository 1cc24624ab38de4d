# Conformance: other people's packetdrill scripts against our stack (docs/conformance.md). packetdrill and the scripts
# come from outside the tree; what is built here is the shared object that packetdrill loads.
conformance_SRCS := $(wildcard tests/conformance/*.c)
conformance_CFLAGS = $(host-lib_CFLAGS)
CONFORMANCE_SO := $(B)/tests/conformance/libnbpacketdrill.so
IPV ?= 4

$(CONFORMANCE_SO): $(conformance_SRCS:%.c=$(B)/obj/%.o) $(B)/lib/host-lib.a $(B)/lib/rss.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -shared -o $@ $^ $(STACK_LIBS) -ldl -lpthread

conformance: $(CONFORMANCE_SO) ## packetdrill scripts: PACKETDRILL=program SCRIPTS=directory [IPV=4|6|46] (root, or user namespaces)
	@tests/conformance/run --packetdrill '$(PACKETDRILL)' --object $(CONFORMANCE_SO) --ip $(IPV) '$(SCRIPTS)'

.PHONY: conformance
