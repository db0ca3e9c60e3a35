# Benches: every bench/NAME.c is a program on the harness in bench/lib.
BENCH_C := $(wildcard bench/*.c)
BENCHES += $(BENCH_C:%.c=$(B)/%)
