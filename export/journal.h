/* journal.h: what the programmer is about to do is in a file before it does it, so that it can go on after any stop.
 *
 * One line per entry: JSON, a space, its CRC-32. A line that was cut by a stop is no entry and is taken away.
 *
 *     {"chip_id": "1234abcd"}                            first line
 *     {"program": "0f3c22aa"}                            the program of this CRC is about to give its first pulse
 *     {"begin": 17, "pulse": 2}                          step 17 is about to give its pulse 2, both from 0
 *     {"done": 17, "failed": [], "pulses": [3]}          of each cell of the step; failed: places of those that did not pass
 *     {"stopped": 17}                                    a stop came before it was done
 *     {"failed": 0, "holds": "8badf00d", "readback": "00c0ffee", "state": 2}     the program has ended, the chip was read back
 *     {"failed": 0, "holds": "00000000", "readback": "00c0ffee", "state": 4}     read back alone: what was open is given up
 *
 * A step is a group of cells that are pulsed together, in the order of the program. Steps are done in order. Every line is written
 * before the pulse; a line of each JOURNAL_BLOCK steps is also waited for until it is on the disk. A power cut may so take lines
 * of the block in which it came. When a program goes on, all steps of that block are uncertain.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { JOURNAL_CELLS = 512, JOURNAL_BLOCK = 64 }; /* cells of a step, at most; steps */

/* The values of BEFORE in a CHIP record; in an unknown state, which no record names, a chip takes repairs alone. */
enum { CHIP_UNFORMED, CHIP_FORMED, CHIP_PROGRAMMED, CHIP_UNKNOWN };

/* What is known of a chip. */
typedef struct {
    int state;         /* CHIP_UNFORMED .. */
    uint32_t holds;    /* digest of the state that it holds, when CHIP_PROGRAMMED */
    int read;          /* it was read back after the last pulse */
    uint32_t readback; /* digest of that read-back */
} chip_known;

typedef struct {
    uint32_t program;     /* CRC */
    unsigned long failed; /* cells */
} journal_end;

typedef struct {
    FILE *file, *past; /* to append to; to read again what was done. NULL: there is no journal */
    chip_known known;  /* before the program that is open */
    int open;          /* a program has begun and not ended */
    uint32_t program;  /* its CRC */
    uint32_t done;     /* its steps that are done */
    int resumed;       /* they were done by an earlier run */
    int begun;         /* step `done` was begun */
    uint32_t pulse;    /* and stopped at this pulse */
    long start;        /* where its entries start in the file */
    int cut;           /* a stop was among the entries that were read again, */
    uint32_t cut_at;   /* before this step was done */
    journal_end *ended; /* programs that ended, in order */
    size_t n_ended;
    int failed;        /* a line could not be written */
} journal;

/* Opens or makes the journal of a chip; path NULL: keeps what is known in memory. NULL, or what is wrong. */
const char *journal_open(journal *j, const char *path, uint32_t chip_id, const chip_known *known);
void journal_close(journal *j);

/* 0, or -1 when the line could not be written: nothing may be pulsed then. */
int journal_program(journal *j, uint32_t crc);
int journal_begin(journal *j, uint32_t step, uint32_t pulse);
int journal_done(journal *j, uint32_t step, size_t n, const uint16_t *pulses, const uint8_t *failed);
int journal_known(journal *j, const chip_known *known, unsigned long failed);
/* The chip was read back beside any program. */
int journal_readback(journal *j, uint32_t readback);

/* Whether an earlier run may have pulsed a step that it did not write down as done. */
int journal_uncertain(const journal *j, uint32_t step);

/* What an earlier run did in the next of its steps; stopped: it was interrupted. 0, or -1 for another step. */
int journal_past(journal *j, uint32_t step, size_t n, uint16_t *pulses, uint8_t *failed, int *stopped);

#endif
