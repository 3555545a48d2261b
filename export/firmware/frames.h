/* frames.h: frames on a serial line (docs/driver.md): a body and its CRC-32, byte-stuffed between two zero bytes. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifndef FRAME_BYTES
#define FRAME_BYTES 16384 /* longest body */
#endif

typedef struct {
    uint8_t body[FRAME_BYTES + 4];
    size_t n;
    uint8_t left, waits, bad; /* bytes of the present run; a zero is behind it; thrown away until the next zero */
} frame_receiver;

/* The next byte of the line. The length of the body when it ends a good frame, else 0. */
size_t frame_take(frame_receiver *r, uint8_t byte);

/* Sends a body of n bytes, behind which there is room for 4. */
void frame_send(uint8_t *body, size_t n);

#endif
