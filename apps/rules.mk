# Bundled applications. Each folder is one module that netbypassd loads; it uses the public API only. A module exports
# nb_app and nothing else; nb_conn_* come from the program that loads it.
apps_SRCS := $(wildcard apps/*/*.c)
apps_CFLAGS := -fvisibility=hidden -Ihost-lib/include -Ibase/include $(DPDK_CFLAGS)
apps_TEST_LIBS = $(B)/lib/apps.a $(DPDK_LIBS)

APP_MODULES :=
define app_module
APP_MODULES += $(B)/apps/$(1).so
$(B)/apps/$(1).so: $(patsubst %.c,$(B)/obj/%.o,$(wildcard apps/$(1)/*.c))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -shared -o $$@ $$^ $$(DPDK_LIBS)
endef
$(foreach a,$(patsubst apps/%/,%,$(sort $(dir $(apps_SRCS)))),$(eval $(call app_module,$(a))))
TARGETS += $(APP_MODULES)
