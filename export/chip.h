/* chip.h: what the programmer asks of a board. All that it does to a chip goes through these functions.
 *
 * chip_virtual.c answers them with a chip in memory. Replace it by the drivers of a board: `chip` is then whatever they keep.
 */
#ifndef CHIP_H
#define CHIP_H

#include <stddef.h>
#include <stdint.h>

typedef struct chip chip;

/* Cells that one command may name: one; some of one line; any of one macro. */
enum { CHIP_CELL, CHIP_LINE, CHIP_MASK };

typedef struct {
    const char *name; /* of the board */
    size_t macros, rows, cols;
    uint32_t chip_id;
    int granularity;              /* CHIP_CELL .. */
    int verifies;                 /* the board has chip_write: it pulses and reads in turn by itself */
    int32_t line_mV, select_mV;   /* largest voltage of a row or column line, and of a select line, either sign */
    uint32_t current_nA;          /* of all cells of one command together */
    uint32_t least_ns, most_ns;   /* of one pulse or read */
} chip_capabilities;

typedef enum {
    CHIP_OK,
    CHIP_NO_REPLY,  /* nothing came back: the command may have been done, or not */
    CHIP_BAD_REPLY, /* what came back was damaged */
    CHIP_REFUSED    /* beyond what the board can do; nothing was done */
} chip_status;

/* Cells of one macro. */
typedef struct {
    size_t macro, n;
    const uint16_t *row, *col; /* n of each */
} chip_cells;

/* The lines during one pulse or read. A cell sees row_mV - col_mV behind a transistor whose gate is at select_mV. */
typedef struct {
    int32_t row_mV, col_mV, select_mV;
    unsigned floating;      /* unselected lines that float: 1 rows + 2 columns + 4 selects; the others lie at 0 V */
    uint32_t compliance_nA; /* of one cell; 0: set by the select line alone */
    uint32_t ns, settle_ns; /* width, and the wait behind it */
} chip_lines;

/* Line voltage of pulse k, from 0: `from` plus k steps towards `to`, never past it. */
typedef struct {
    int32_t from, step, to; /* mV; step is not negative */
} chip_ramp;

/* A RECIPE of the program file (SPEC.md, 1.4). */
typedef struct {
    unsigned kind, verify_id, drive, floating, read_first, good_reads, max_pulses;
    chip_ramp row, col, select;
    uint32_t ns, settle_ns, compliance_nA, budget_nA, guard_nS;
} chip_recipe;

/* When a cell passes: a chip_recipe, how it is read, and the thresholds of its tile. */
typedef struct {
    const chip_recipe *write, *read;
    uint32_t on_min_nS, off_max_nS;
} chip_verify;

const chip_capabilities *chip_can(const chip *c);

/* Commands have numbers. A board that is given the number of its last command again repeats the reply and does nothing else:
 * so a command whose reply was lost or damaged can be given again. */

/* One pulse into all cells at once. */
chip_status chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines);

/* What each cell conducts, nS: the mean of `averages` reads. */
chip_status chip_read(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines, unsigned averages,
                      uint32_t *nS);

/* Where the board verifies: pulses each cell from pulse `first` on until it passes or has had all pulses. pulses: given now, of
 * each cell; passed: 0 or 1. */
chip_status chip_write(chip *c, uint32_t number, const chip_cells *cells, const chip_verify *verify, unsigned first,
                       uint16_t *pulses, uint8_t *passed);

/* Rows that are driven together in one bit plane of a product, and the column pairs that are converted (SPEC.md, 2.1). */
typedef struct {
    size_t macro, col0, pairs; /* col0: cell column of G+ of the first pair */
    const uint8_t *driven;     /* a bit of each row of the macro: row r is bit r & 7 of byte r >> 3 */
} chip_plane;

typedef struct {
    unsigned bits;
    int polarity;  /* a code of each column, 0..2^bits - 1; else of each pair, G+ - G-, at most 2^(bits - 1) - 1 either sign */
    uint32_t lsb;  /* what one code stands for: lsb * 2^exponent nS at the read voltage */
    int exponent;
} chip_converter;

/* Only for boards that run inference. codes: one of each pair, or with `polarity` two, G+ first. */
chip_status chip_convert(chip *c, uint32_t number, const chip_plane *plane, const chip_converter *adc, int32_t *codes);

/* All lines to 0 V, the outputs off. Safe at any moment, and never fails. */
void chip_idle(chip *c);

/* The lines at pulse k of a recipe; of a READ at any k. */
chip_lines chip_lines_of(const chip_recipe *recipe, unsigned k);

/* The code of a column that conducts nS, for chips that are simulated: clip(rint(nS / LSB)), divided exactly, ties to even. */
int32_t chip_code_of(const chip_converter *adc, int64_t nS);

/* Whether one read is good: past the threshold by the guard band. */
int chip_good(const chip_verify *verify, uint32_t nS);

#endif
