/* frames.c: see frames.h. */
#include "frames.h"

#include "../xbp.h"
#include "port.h"

enum { LONGEST = 254, CRC = 4 }; /* bytes that one code can stand for; of the checksum */

static void append(frame_receiver *r, uint8_t byte)
{
    if (r->n == sizeof r->body)
        r->bad = 1;
    else
        r->body[r->n++] = byte;
}

/* Bytes of a body whose checksum is good, else 0. */
static size_t whole(const frame_receiver *r)
{
    if (r->bad || r->left || !r->waits || r->n <= CRC)
        return 0;
    return xbp_crc32(0, r->body, r->n - CRC) == XBP_U32(r->body + r->n - CRC) ? r->n - CRC : 0;
}

size_t frame_take(frame_receiver *r, uint8_t byte)
{
    size_t n = 0;

    if (byte == 0) {
        n = whole(r);
        r->n = 0;
        r->left = r->waits = r->bad = 0;
    } else if (r->left) {
        r->left--;
        append(r, byte);
    } else {
        if (r->waits)
            append(r, 0);
        r->left = (uint8_t)(byte - 1);
        r->waits = byte <= LONGEST;
    }
    return n;
}

void frame_send(uint8_t *body, size_t n)
{
    const uint32_t crc = xbp_crc32(0, body, n);
    size_t at = 0, run, k;

    for (k = 0; k < CRC; k++)
        body[n++] = (uint8_t)(crc >> 8 * k);
    port_put(0);
    for (;;) {
        for (run = 0; run < LONGEST && at + run < n && body[at + run]; run++)
            ;
        port_put((uint8_t)(run + 1));
        for (k = 0; k < run; k++)
            port_put(body[at + k]);
        at += run;
        if (run == LONGEST)
            continue;
        if (at == n)
            break;
        at++; /* the zero that the code stands for */
    }
    port_put(0);
}
