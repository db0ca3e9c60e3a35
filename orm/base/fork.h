/* fork.h - how often this process came out of a fork, so that what must not be shared with a parent
 * (connections, buffered random bytes) is noticed in the child for the price of a load. */
#ifndef PXI_BASE_FORK_H
#define PXI_BASE_FORK_H

/* Written only by the child's side of fork, when it has one thread. */
extern volatile unsigned pxi_forks __attribute__((visibility("hidden")));

#endif
