/* measure_riscv.c: RV32 on the virt board of qemu -icount shift=0; text by its UART. */
#include "measure_port.h"

enum { PAINT = 0x5A5A5A5A };

extern uint32_t bss_start[], bss_end[], stack_limit[], stack_top[];

int main(void);
void begin(void);

__attribute__((naked, section(".vectors"), used)) void reset(void)
{
    __asm__ volatile("la sp, stack_top\n\tj begin");
}

void begin(void)
{
    uint32_t *p;

    for (p = bss_start; p < bss_end; p++)
        *p = 0;
    for (p = stack_limit; p < (uint32_t *)((uintptr_t)stack_top - 64); p++)
        *p = PAINT;
    main();
    *(volatile uint32_t *)0x100000 = 0x5555; /* ends qemu */
    for (;;)
        ;
}

void port_put(uint8_t byte)
{
    *(volatile uint8_t *)0x10000000 = byte;
}

uint32_t instructions(void)
{
    uint32_t count;

    __asm__ volatile(".option arch, +zicsr\n\tcsrr %0, minstret" : "=r"(count));
    return count;
}

uint32_t stack_used(void)
{
    const uint32_t *p = stack_limit;

    while (p < stack_top && *p == PAINT)
        p++;
    return (uint32_t)((stack_top - p) * 4);
}
