/* fuzz.c: libFuzzer harness of the reader. Random bytes never have good checksums, so they are repaired first.
 *
 * The input is a program file with small errors. Byte 0 chooses the chunk size; the rest is split into records by its own length
 * fields, and sequence numbers, checksums, record count and file length are recomputed, unless byte 1 says to leave one
 * of them. Build and run: make build/fuzz && build/fuzz -max_total_time=60 fuzz/corpus
 */
#include <stdlib.h>
#include <string.h>

#include "../xbp.h"

enum { CHIP = 0x11 };

typedef struct {
    uint32_t rows, records;
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
    if ((s->records == 0) != (rec->type == XBP_CHIP) || (uint32_t)rec->row + rec->n_row > s->rows)
        abort();
    s->records++;
    return sum == 0xFFFFFFFFu;
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value);
    put16(p + 2, value >> 16);
}

static void repair(uint8_t *data, size_t size, unsigned leave)
{
    size_t at = XBP_HEADER_SIZE;
    uint32_t index = 0, seed;

    for (; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        at += XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3) + 4;
    }
    if (!(leave & 1u))
        put32(data + XBP_HEADER_FILE_LENGTH, (uint32_t)(at < size ? at : size));
    if (!(leave & 2u))
        put32(data + XBP_HEADER_N_RECORDS, index);
    put32(data + XBP_HEADER_CHIP_ID, CHIP);
    seed = xbp_crc32(0, data, XBP_HEADER_CRC);
    put32(data + XBP_HEADER_CRC, seed);
    for (at = XBP_HEADER_SIZE, index = 0; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        const size_t body = XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3);
        if (!(leave & 4u))
            put16(data + at + XBP_RECORD_SEQUENCE, index);
        if (at + body + 4 <= size && !(leave & 8u))
            put32(data + at + body, xbp_crc32(seed, data + at, body));
        at += body + 4;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static xbp_reader reader;
    seen s = { 0, 0 };
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
    repair(data, size, input[1] < 16 ? input[1] : 0);
    xbp_init(&reader, CHIP, take, &s);
    for (at = 0; at < size; at += chunk) {
        status = xbp_feed(&reader, data + at, size - at < chunk ? size - at : chunk);
        if (first != XBP_OK && status != first)
            abort(); /* the first error stays */
        first = status;
    }
    status = xbp_finish(&reader);
    if (first != XBP_OK && status != first)
        abort();
    free(data);
    return 0;
}
