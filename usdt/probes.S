/* probes.S - the bodies, semaphores and notes of all probes, made from probes.def.
 *
 * Each probe is a function pxp_NAME that does nothing, in a place that no compiler touches: no
 * inlining, no cloning, no operands in stack slots or scaled addresses, the same at every
 * optimisation. It is called only while its semaphore prax_NAME_semaphore is not 0; whoever
 * attaches raises that (the note names it). All symbols are hidden, so that two copies of the
 * library in a process never share a probe.
 *
 * .note.stapsdt is SystemTap's version 3: address, link-time address of .stapsdt.base, semaphore,
 * then provider, name and operands as text. It is not loaded, so GNU strip keeps it and needs no
 * relocation at run time; llvm-strip must be told --keep-section=.note.stapsdt.
 *
 * .note.prax is loaded and points to the descriptor (usdt/abi.c) without a symbol.
 *
 * Whoever pulls in this object has all of it, with --gc-sections too: the constructor in
 * usdt/abi.c refers to the descriptor's note, and that to the sections of bodies, semaphores and
 * base (GNU ld takes what any note refers to, gold and lld do not).
 * Source: https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation.
 */
#if defined(__x86_64__) && defined(__LP64__)
#include "usdt/sled-x86_64.inc"
#else
#error "Prax has probes for x86-64 only; write usdt/sled-ARCH.inc and include it in usdt/probes.S"
#endif

.macro pxi_operands s0, s1, s2, s3, s4, s5
    pxi_operand 0, \s0
    .irp argument, "1, \s1", "2, \s2", "3, \s3", "4, \s4", "5, \s5"
    pxi_further \argument
    .endr
.endm

.macro pxi_further n, size
    .if \size != 0
    .ascii " "
    pxi_operand \n, \size
    .endif
.endm

.macro pxi_probe name, s0, s1=0, s2=0, s3=0, s4=0, s5=0
    .section .probes, "aw", @progbits
    .balign 2
    .hidden prax_\name\()_semaphore
    .globl prax_\name\()_semaphore
    .type prax_\name\()_semaphore, @object
    .size prax_\name\()_semaphore, 2
prax_\name\()_semaphore:
    .2byte 0

    .section .text.prax_probes, "ax", @progbits
    .balign 32
    .hidden pxp_\name
    .globl pxp_\name
    .type pxp_\name, @function
pxp_\name:
    .cfi_startproc
    pxi_sled
    .cfi_endproc
    .size pxp_\name, . - pxp_\name

    .section .note.stapsdt, "", @note
    .balign 4
    .4byte 992f - 991f, 994f - 993f, 3
991:
    .asciz "stapsdt"
992:
    .balign 4
993:
    .8byte pxp_\name
    .8byte _.stapsdt.base
    .8byte prax_\name\()_semaphore
    .asciz "prax"
    .asciz "\name"
    pxi_operands \s0, \s1, \s2, \s3, \s4, \s5
    .byte 0
994:
    .balign 4
.endm

/* What prelink and the like have moved is seen by this section's address. */
    .section .stapsdt.base, "aG", @progbits, .stapsdt.base, comdat
    .weak _.stapsdt.base
    .hidden _.stapsdt.base
_.stapsdt.base:
    .space 1
    .size _.stapsdt.base, 1

#define PRAX_VERB(name, text)              \
    pxi_probe name##__start, 8, 8, 8, 8, 8; \
    pxi_probe name##__done, 8, 8, 8, 8, 8, -4
#define PRAX_PROBE(name, nargs, s0, s1, s2, s3, s4, s5) pxi_probe name, s0, s1, s2, s3, s4, s5
#include "usdt/probes.def"

    .section .note.prax, "a", @note
    .balign 4
    .hidden pxi_abi_note
    .globl pxi_abi_note
    .type pxi_abi_note, @object
pxi_abi_note:
    .4byte 992f - 991f, 994f - 993f, 1
991:
    .asciz "prax"
992:
    .balign 4
993:
    pxi_keep pxp_query_many__start
    pxi_keep prax_query_many__start_semaphore
    pxi_keep _.stapsdt.base
    .8byte pxi_abi - .
994:
    .balign 4
    .size pxi_abi_note, . - pxi_abi_note

    .section .note.GNU-stack, "", @progbits
