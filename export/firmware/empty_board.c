/* empty_board.c: a board without a chip, to be copied and filled in (README.md, the ten steps). It links as it is: all that it
 * is asked to do, it refuses.
 */
#include <stddef.h>

#include "service.h"

int main(void);
void *_sbrk(ptrdiff_t n);

/* Step 3: what the board can do. chip_id is that of the program file (minirram inspect). */
static const chip_capabilities board_can = {
    .name = "my board",
    .macros = 1,
    .rows = 64,
    .cols = 64,
    .chip_id = 0,
    .granularity = CHIP_CELL,
    .verifies = 0,
    .line_mV = 4500,
    .select_mV = 4500,
    .current_nA = 1000000,
    .least_ns = 10,
    .most_ns = 1000000000,
};

const chip_capabilities *chip_can(const chip *c)
{
    (void)c;
    return &board_can;
}

/* Step 4: all lines to 0 V. */
void chip_idle(chip *c)
{
    (void)c;
}

/* Step 5. */
chip_status chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines)
{
    (void)c;
    (void)number;
    (void)cells;
    (void)lines;
    return CHIP_REFUSED;
}

/* Step 7. */
chip_status chip_read(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines, unsigned averages,
                      uint32_t *nS)
{
    (void)c;
    (void)number;
    (void)cells;
    (void)lines;
    (void)averages;
    (void)nS;
    return CHIP_REFUSED;
}

/* Step 10: products, where the board runs inference. */
chip_status chip_convert(chip *c, uint32_t number, const chip_plane *plane, const chip_converter *adc, int32_t *codes)
{
    (void)c;
    (void)number;
    (void)plane;
    (void)adc;
    (void)codes;
    return CHIP_REFUSED;
}

/* Never called while `verifies` is 0. */
chip_status chip_write(chip *c, uint32_t number, const chip_cells *cells, const chip_verify *verify, unsigned first,
                       uint16_t *pulses, uint8_t *passed)
{
    (void)c;
    (void)number;
    (void)cells;
    (void)verify;
    (void)first;
    (void)pulses;
    (void)passed;
    return CHIP_REFUSED;
}

/* For tests; zeros where nobody counts. */
service_figures service_counts(void)
{
    const service_figures nothing = { 0, 0 };

    return nothing;
}

/* The C library asks for a heap that it does not need. */
void *_sbrk(ptrdiff_t n)
{
    (void)n;
    return (void *)-1;
}

/* Call it behind the start-up of the board: clocks, the UART of port.h, all lines at 0 V. */
int main(void)
{
    static journal none;
    static driver drive;

    drive.target = NULL; /* handed on to the functions above */
    drive.log = &none;
    service_run(&drive);
    return 0;
}
