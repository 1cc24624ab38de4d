cli_SRCS := $(filter-out cli/main.c,$(wildcard cli/*.c))
cli_CFLAGS := -Icli -Ibase/include
cli_TEST_LIBS = $(B)/lib/cli.a -ljson-c
