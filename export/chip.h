/* chip.h: a virtual chip. Cells in memory that answer to voltages by rules of their own, whatever a program calls a pulse.
 *
 * Replace chip.c by the drivers of a real board: the programmer uses nothing but the functions below.
 */
#ifndef CHIP_H
#define CHIP_H

#include <stddef.h>
#include <stdint.h>

#include "npy.h"

/* The values of BEFORE in a CHIP record; in an unknown state, which no record names, a chip takes no program. */
enum { CHIP_UNFORMED, CHIP_FORMED, CHIP_PROGRAMMED, CHIP_UNKNOWN };

typedef struct {
    size_t macros, rows, cols;
    uint32_t chip_id;   /* CRC-32 of the as-formed map in nS */
    int state;          /* CHIP_UNFORMED .. */
    uint32_t holds;     /* digest of the state that it holds, when CHIP_PROGRAMMED */
    uint32_t *on_nS;    /* what each cell conducts when on */
    uint32_t *now_nS;   /* what it conducts now */
    uint8_t *condition; /* of each cell */
} chip;

/* Makes a chip of an as-formed map in siemens; `formed`: already formed, else pristine. NULL, or what is wrong. */
const char *chip_open(chip *c, const npy_map *formed_map, int formed);
void chip_close(chip *c);

/* Plants a fault; 0 when there is no such cell. stuck_on: it conducts whatever happens, else it does not. */
int chip_stick(chip *c, size_t macro, size_t row, size_t col, int stuck_on);

/* One pulse: the cell sees row_mV - col_mV = mV for ns. */
void chip_pulse(chip *c, size_t macro, size_t row, size_t col, int32_t mV, uint32_t ns);

/* Reads one cell, in nS. */
uint32_t chip_read(const chip *c, size_t macro, size_t row, size_t col);

/* Digest of what all cells conduct now: the readback_id of a read-back of this moment. */
uint32_t chip_readback_id(const chip *c);

/* The present map, siemens; values for the caller to free(). NULL, or what went wrong. */
const char *chip_dump(const chip *c, npy_map *map);

#endif
