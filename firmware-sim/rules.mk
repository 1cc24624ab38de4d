firmware-sim_SRCS := $(wildcard firmware-sim/*.c firmware-sim/nics/*/*.c)
firmware-sim_CFLAGS := -Ifirmware-sim -Ifirmware-sim/include
firmware-sim_TEST_LIBS = $(B)/lib/firmware-sim.a
