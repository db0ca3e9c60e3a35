# The interface of a program to its observer. probes.S is made by the C preprocessor from probes.def.
USDT_OBJ := $(B)/usdt/probes.o

$(B)/libprax.a $(B)/libprax.so: $(USDT_OBJ)
