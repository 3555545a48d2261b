/* fuzz.c: libFuzzer harness of the reader. Random bytes never have good checksums, so they are repaired first.
 *
 * The input is a program file with small errors. Byte 0 chooses the chunk size; the rest is split into records by its own length
 * fields, and numbers, checksums, record count, file length and the new state are recomputed, unless byte 1 says to leave
 * one of them. Build and run: make build/fuzz && build/fuzz -max_total_time=60 fuzz/corpus
 */
#include <stdlib.h>
#include <string.h>

#include "repair.h"

enum { CHIP_ID = 0x11 };

typedef struct {
    uint32_t rows, records, asked, busy;
} seen;

/* What the reader promises the sink: rows stay inside what CHIP said. The sum makes the reads real for a sanitizer. */
static int take(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    seen *const s = user;
    uint32_t sum = 0;
    uint16_t i;

    for (i = 0; i < rec->length; i++)
        sum += payload[i];
    if (rec->type == XBP_CHIP)
        s->rows = XBP_U16(payload + XBP_CHIP_ROWS);
    if ((s->records == 0) != (rec->type == XBP_CHIP) || (uint32_t)rec->row + rec->n_row > s->rows
        || (uintptr_t)payload % 4 != 0)
        abort();
    if (s->asked++ % 4 == s->busy)
        return XBP_LATER;
    s->records++;
    return sum == 0xFFFFFFFFu;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static xbp_reader reader;
    seen s = { 0, 0, 0, 0 };
    xbp_status status = XBP_OK, first = XBP_OK;
    uint8_t *data;
    size_t at, chunk;

    if (size < 2 + XBP_HEADER_SIZE)
        return 0;
    chunk = input[0] ? input[0] : 4096;
    size -= 2;
    data = malloc(size);
    if (!data)
        return 0;
    memcpy(data, input + 2, size);
    repair(data, size, CHIP_ID, input[1] & 15u);
    if (!(input[1] & 16u))
        agree(data, size, CHIP_ID);
    s.busy = input[1] >> 5;
    xbp_init(&reader, CHIP_ID, take, &s);
    for (at = 0; at < size;) {
        status = xbp_feed(&reader, data + at, size - at < chunk ? size - at : chunk);
        at += status == XBP_LATER ? reader.taken : size - at < chunk ? size - at : chunk;
        if (status == XBP_LATER)
            continue;
        if (status != XBP_OK && input[1] & 128u && xbp_again(&reader) == XBP_OK)
            status = XBP_OK; /* the link sends on behind what it lost */
        if (first != XBP_OK && status != first)
            abort(); /* the first error stays */
        first = status;
    }
    while (xbp_finish(&reader) == XBP_LATER)
        xbp_feed(&reader, data, 0);
    status = xbp_finish(&reader);
    if (first != XBP_OK && status != first)
        abort();
    free(data);
    return 0;
}
