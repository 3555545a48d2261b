/* measure_arm.c: Cortex-M under qemu -icount shift=0, where an instruction takes a nanosecond; text by semihosting. */
#include "measure_port.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#ifndef TICK_NS
#define TICK_NS 40 /* of the processor's clock */
#endif

enum { PAINT = 0x5A5A5A5A };

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_limit[], stack_top[];

static uint32_t ticks, last;

int main(void);
void reset(void);

static int semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void fault(void)
{
    semihosting(0x18, (const void *)0x20026);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

void reset(void)
{
    uint32_t *p;

    for (p = data_start; p < data_end; p++)
        *p = data_image[p - data_start];
    for (p = bss_start; p < bss_end; p++)
        *p = 0;
    for (p = stack_limit; p < (uint32_t *)((uintptr_t)stack_top - 64); p++)
        *p = PAINT;
    SYST_RVR = 0xFFFFFF;
    SYST_CVR = 0;
    SYST_CSR = 5;
    last = 0xFFFFFF;
    main();
    semihosting(0x18, (const void *)0x20026);
}

void port_put(uint8_t byte)
{
    const char letter = (char)byte;

    semihosting(3, &letter);
}

uint32_t instructions(void)
{
    const uint32_t now = SYST_CVR;

    ticks += (last - now) & 0xFFFFFF;
    last = now;
    return ticks * TICK_NS;
}

uint32_t stack_used(void)
{
    const uint32_t *p = stack_limit;

    while (p < stack_top && *p == PAINT)
        p++;
    return (uint32_t)((stack_top - p) * 4);
}
