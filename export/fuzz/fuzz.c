/* fuzz.c: libFuzzer harness of the reader. Random bytes never have good checksums, so they are repaired first.
 *
 * The input is a program file with small errors. Byte 0 chooses the chunk size; the rest is split into records by its own length
 * fields, and numbers, checksums, record count, file length and the new state are recomputed, unless byte 1 says to leave
 * one of them. Build and run: make build/fuzz && build/fuzz -max_total_time=60 fuzz/corpus
 */
#include <stdlib.h>
#include <string.h>

#include "../xbp.h"

enum { CHIP = 0x11 };

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
    uint32_t index = 0, crc;

    for (; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        at += XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3) + 4;
    }
    if (!(leave & 1u))
        put32(data + XBP_HEADER_FILE_LENGTH, (uint32_t)(at < size ? at : size));
    if (!(leave & 2u))
        put32(data + XBP_HEADER_N_RECORDS, index);
    put32(data + XBP_HEADER_CHIP_ID, CHIP);
    crc = xbp_crc32(0, data, XBP_HEADER_CRC);
    put32(data + XBP_HEADER_CRC, crc);
    for (at = XBP_HEADER_SIZE, index = 0; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        const size_t body = XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3);
        if (!(leave & 4u))
            put32(data + at + XBP_RECORD_NUMBER, index);
        if (at + body + 4 <= size && !(leave & 8u)) {
            crc = xbp_crc32(crc, data + at, body);
            put32(data + at + body, crc);
        }
        at += body + 4;
    }
}

/* Writes the state into CHIP that the maps lead to, as far as the reader comes: END then finds it right. */
static void agree(uint8_t *data, size_t size)
{
    static xbp_reader reader;
    const size_t chip_at = XBP_HEADER_SIZE + XBP_RECORD_SIZE;

    if (size < chip_at + XBP_CHIP_SIZE + 4)
        return;
    xbp_init(&reader, CHIP, NULL, NULL);
    if (xbp_feed(&reader, data, size) != XBP_E_TOTAL)
        return;
    put32(data + chip_at + XBP_CHIP_NEW_STATE, reader.state);
    repair(data, size, 0);
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
    repair(data, size, input[1] & 15u);
    if (!(input[1] & 16u))
        agree(data, size);
    s.busy = input[1] >> 5;
    xbp_init(&reader, CHIP, take, &s);
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
