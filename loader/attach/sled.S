/* sled.S - a probe body like those of usdt/probes.S, for the self-probe: nop, nop5, nop10, ret. */
	.text
	.globl	pxb_sled
	.hidden	pxb_sled
	.type	pxb_sled, @function
	.balign 32
pxb_sled:
	nop
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	.byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00
	ret
	.size	pxb_sled, . - pxb_sled
	.section .note.GNU-stack, "", @progbits
