/* classify.c: reads cases from standard input and prints what the reader says of each, one line per case.
 *
 * A case is three little-endian u32 (chip_id, chunk size, bytes) and the bytes. The line is the name of the error class, the
 * number of the record and where it starts; or DONE, the number of records that the sink saw and the checksum that names the
 * program. With any argument, every record is printed before it, decoded: type, tile, row, rows, recipe, pass and the
 * payload in hexadecimal.
 *
 * The sink is busy every third time it is asked, and the first record of a file whose checksum is wrong is asked for again
 * once, in vain: neither may change anything.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../xbp.h"

typedef struct {
    unsigned long records, asked;
    int print;
} counter;

static int count(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    counter *const c = user;
    uint16_t i;

    if ((uintptr_t)payload % 4 != 0)
        abort();
    if (c->asked++ % 3 == 1)
        return XBP_LATER;
    c->records++;
    if (c->print) {
        printf("%02x %u %u %u %u %u ", rec->type, rec->tile, rec->row, rec->n_row, rec->recipe, rec->pass);
        for (i = 0; i < rec->length; i++)
            printf("%02x", payload[i]);
        putchar('\n');
    }
    return 0;
}

static void feed(xbp_reader *reader, const uint8_t *data, size_t n)
{
    while (xbp_feed(reader, data, n) == XBP_LATER) {
        data += reader->taken;
        n -= reader->taken;
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = XBP_ERROR_NAMES;
    static xbp_reader reader;
    uint8_t head[12];

    (void)argv;
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        const size_t chunk = XBP_U32(head + 4), size = XBP_U32(head + 8);
        uint8_t *data = malloc(size ? size : 1);
        counter seen = { 0, 0, 0 };
        size_t at;
        xbp_status status;

        if (!data || fread(data, 1, size, stdin) != size) {
            free(data);
            return EXIT_FAILURE;
        }
        seen.print = argc > 1;
        xbp_init(&reader, XBP_U32(head), count, &seen);
        for (at = 0; at < size; at += chunk) {
            const size_t n = size - at < chunk ? size - at : chunk;
            uint8_t *copy = malloc(n); /* of exactly this size, so that a sanitizer sees any reading past it */
            size_t i;
            if (!copy)
                return EXIT_FAILURE;
            for (i = 0; i < n; i++)
                copy[i] = data[at + i];
            feed(&reader, copy, n);
            free(copy);
        }
        status = xbp_finish(&reader);
        if (status == XBP_E_CRC && xbp_again(&reader) == XBP_OK) {
            feed(&reader, data + reader.offset, size - reader.offset);
            status = xbp_finish(&reader);
        }
        if (status == XBP_DONE)
            printf("DONE %lu %08lx\n", seen.records, (unsigned long)reader.crc);
        else
            printf("%s %lu %lu\n", names[-(int)status], (unsigned long)reader.number, (unsigned long)reader.offset);
        free(data);
    }
    return ferror(stdin) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
