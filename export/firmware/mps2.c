/* mps2.c: start, UART and clock of the MPS2 board with a Cortex-M3 (AN385), and the virtual chip in its 16 MB of PSRAM.
 *
 * The map of the chip lies at the start of the PSRAM: four u32 ("MAP1", macros, rows, columns), then doubles, siemens. A reset
 * of the processor keeps the chip, as one on a board of its own would be kept.
 */
#include <stdlib.h>
#include <string.h>

#include "../chip_virtual.h"
#include "port.h"
#include "service.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_CTRL REGISTER(0x40004008)
#define UART_BAUDDIV REGISTER(0x40004010)
#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)

enum { UART_FULL = 1, UART_THERE = 2, TICKS_MS = 25000 };
enum { PAINT = 0x5A5A5A5A, MAP1 = 0x3150414D, KEPT = 0x4B455054 };
static const uintptr_t MAP = 0x21000000, HEAP = 0x21400000, HEAP_END = 0x22000000;

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_limit[], stack_top[];

/* What a reset does not touch. */
static struct {
    uint32_t kept;
    chip *target;
    char *brk;
    uint64_t pulses;
    driver drive;
} retained __attribute__((section(".retained")));

int main(void);
void reset(void);
void *_sbrk(ptrdiff_t n);
chip_status __real_chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines);
chip_status __wrap_chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines);

static void fault(void)
{
    for (;;)
        ;
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
    for (p = stack_limit; p < (uint32_t *)((uintptr_t)stack_top - 256); p++)
        *p = PAINT;
    main();
}

void *_sbrk(ptrdiff_t n)
{
    char *const from = retained.brk;

    if (n > (char *)HEAP_END - from)
        return (void *)-1;
    retained.brk = from + n;
    return from;
}

int port_get(void)
{
    return UART_STATE & UART_THERE ? (int)(UART_DATA & 0xFF) : -1;
}

void port_put(uint8_t byte)
{
    while (UART_STATE & UART_FULL)
        ;
    UART_DATA = byte;
}

uint32_t port_ms(void)
{
    return (UINT32_MAX - TIMER_VALUE) / TICKS_MS; /* around once in three minutes: a word of BUSY too early or too late */
}

service_figures service_counts(void)
{
    service_figures figures;
    const uint32_t *p = stack_limit;

    while (p < stack_top && *p == PAINT)
        p++;
    figures.pulses = retained.pulses;
    figures.stack = (uint32_t)((stack_top - p) * 4);
    return figures;
}

/* Counts what the chip gets, also when the reset comes before anybody is told. */
chip_status __wrap_chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines)
{
    retained.pulses += cells->n;
    return __real_chip_pulse(c, number, cells, lines);
}

/* A chip as new, of the map that lies in memory. */
static void open_chip(void)
{
    const uint32_t *const words = (const uint32_t *)MAP;
    npy_map map;

    memset(&retained, 0, sizeof retained);
    retained.brk = (char *)HEAP;
    if (words[0] != MAP1)
        fault();
    map.macros = words[1];
    map.rows = words[2];
    map.cols = words[3];
    map.values = (double *)(MAP + 16);
    if (chip_open(&retained.target, &map, 0) != NULL)
        fault();
    chip_board(retained.target, CHIP_LINE, 0);
    retained.drive.target = retained.target;
    retained.kept = KEPT;
}

int main(void)
{
    static journal none;

    UART_BAUDDIV = 16;
    UART_CTRL = 3;
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CTRL = 1;
    if (retained.kept != KEPT)
        open_chip();
    retained.drive.log = &none;
    service_run(&retained.drive);
    return 0;
}
