# Bundled applications. Each folder is one module that netbypassd loads; it uses the public API only. apps/*.c is what
# they share. A module exports nb_app, which is its nb_app_NAME, and nothing else; nb_conn_* come from the program that
# loads it.
apps_SRCS := $(wildcard apps/*.c apps/*/*.c)
apps_CFLAGS := -fvisibility=hidden -Ihost-lib/include -Ibase/include $(DPDK_CFLAGS)
apps_TEST_LIBS = $(B)/lib/apps.a $(DPDK_LIBS)

APP_MODULES :=
define app_module
APP_MODULES += $(B)/apps/$(1).so
$(B)/apps/$(1).so: $(patsubst %.c,$(B)/obj/%.o,$(wildcard apps/*.c apps/$(1)/*.c))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -shared -Wl,--defsym=nb_app=nb_app_$(1) -o $$@ $$^ $$(DPDK_LIBS)
endef
$(foreach a,$(patsubst apps/%/,%,$(sort $(dir $(wildcard apps/*/*.c)))),$(eval $(call app_module,$(a))))
TARGETS += $(APP_MODULES)
