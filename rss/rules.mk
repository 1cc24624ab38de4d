# Receive side scaling as maths: what host-lib, flowrules and tests compute homes and ports with.
rss_SRCS := $(wildcard rss/*.c)
rss_CFLAGS := -Irss/include -Ibase/include
rss_OPTIMIZE = $(WHOLE_PROGRAM)
rss_TEST_LIBS = $(B)/lib/rss.a
