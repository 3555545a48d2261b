/* service.h: a chip behind chip.h, served on the line to `minirram bench --driver serial` (docs/driver.md). */
#ifndef SERVICE_H
#define SERVICE_H

#include "../drive.h"

/* Operations beyond those of every board. */
enum {
    SERVICE_LOAD = 16, /* u32 length of the whole, u32 offset, bytes of digital.bin -> i32 verdict, u32 working memory */
    SERVICE_INFER,     /* input codes -> i16 class or error, u16 0, u32 CRC-32 of what left each step */
    SERVICE_PROGRAM,   /* u8 pass (0 check, 1 act, 2 judge), three times 0, u32 offset, bytes of a program file
                        * -> i32 verdict of the reader, u32 record that it waits for, its offset, cells short, bit errors */
    SERVICE_COUNTS     /* -> u64 pulses of cells, u32 most bytes of stack: what service_counts says */
};

typedef struct {
    uint64_t pulses; /* of cells, since the chip was new */
    uint32_t stack;  /* most bytes so far */
} service_figures;

/* Of the board, for tests: what it counts. */
service_figures service_counts(void);

/* Serves requests, without end. d: target set, number as the chip knows it. */
void service_run(driver *d);

#endif
