/* drive.h: pulses cells until they pass, step by step, each written ahead in a journal. */
#ifndef DRIVE_H
#define DRIVE_H

#include <signal.h>

#include "chip.h"
#include "journal.h"

#ifndef LIMIT_TRIES
#define LIMIT_TRIES 20 /* times that one command is given when its reply is lost or damaged */
#endif

typedef enum { DRIVE_DONE, DRIVE_SILENT, DRIVE_REFUSED, DRIVE_NO_JOURNAL, DRIVE_STOPPED } drive_status;

/* Set by a signal: no command is given any more. */
extern volatile sig_atomic_t drive_stop;

typedef struct {
    chip *target;
    journal *log;
    uint32_t number; /* of the last command */
    uint32_t step;   /* the next one */
    unsigned long pulses[5], again;       /* given, by kind; reads are of cells. again: commands that were given again */
    unsigned long uncertain;              /* cells of steps that a stop left uncertain */
} driver;

/* One step: `cells` get pulses by verify->write until they pass. verify->read may be NULL when it is blind and nothing can be
 * read. pulses: given to each cell in this and earlier runs; failed, stopped: 0 or 1. */
drive_status drive_cells(driver *d, const chip_cells *cells, const chip_verify *verify, uint16_t *pulses, uint8_t *failed,
                         int *stopped);

/* Reads cells of one macro, any number, nS. */
drive_status drive_read(driver *d, const chip_cells *cells, const chip_recipe *recipe, uint32_t *nS);

#endif
