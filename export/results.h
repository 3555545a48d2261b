/* results.h: what a program has done, in files that minirram reads: the read-back (.npy), the result of each cell (.npz) and
 * the manifest (.json) that binds them to the program by their SHA-256. */
#ifndef RESULTS_H
#define RESULTS_H

#include <stdint.h>
#include <stdio.h>

#include "chip.h"

enum { FAILED_NOT, FAILED_ON, FAILED_OFF, FAILED_UNREAD }; /* "", "stuck_on", "stuck_off", "not_read" */

#define CELL_UNREAD 0xFFFFFFFFu /* as nS: not read; NaN in files */

/* Maps of macros * rows * cols cells. */
typedef struct {
    size_t macros, rows, cols;
    uint32_t *pulses, *nS;
    uint8_t *failure, *interrupted; /* interrupted: a stop came while it was pulsed */
} cell_results;

/* What the manifest says of a program beside its files. */
typedef struct {
    const char *bench, *program; /* name of the board; path */
    uint32_t chip_id, base_state, new_state, readback_id;
    unsigned long checked, bit_errors;
} bound;

typedef struct {
    const char *readback, *cells, *manifest, *digital; /* paths; NULL: not asked for */
    FILE *file[3];                                     /* read-back, cells, manifest, each under a name of its own until it is whole */
} outputs;

/* Whether a path is a pipe, a terminal or a device: what is there cannot be read again, nor replaced. */
int is_device(const char *path);

/* Checks that all files that a manifest binds lie in its folder. NULL, or what is wrong. */
const char *outputs_check(const outputs *o, const char *program);

/* Opens them beside what is there, which stays as it is; NULL, or the path that cannot be written. */
const char *outputs_open(outputs *o);

/* Takes away what is there: it does not fit the chip from the next pulse on. */
void outputs_outdated(const outputs *o);

/* Writes them and gives them their names. facts: for a manifest. NULL, or the path that cannot be written. */
const char *outputs_write(outputs *o, const cell_results *results, const bound *facts);

/* Gives up what was opened. */
void outputs_drop(outputs *o);

#endif
