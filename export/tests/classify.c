/* classify.c: reads cases from standard input and prints what the reader says of each, one line per case.
 *
 * A case is three little-endian u32 (chip_id, chunk size, bytes) and the bytes. The line is the name of the error class, or
 * DONE and the number of records that the sink saw. With any argument, every record is printed before it, decoded:
 * type, tile, row, rows and the payload in hexadecimal.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../xbp.h"

typedef struct {
    unsigned long records;
    int print;
} counter;

static int count(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    counter *const c = user;
    uint16_t i;

    c->records++;
    if (c->print) {
        printf("%04x %u %u %u ", rec->type, rec->tile, rec->row, rec->n_row);
        for (i = 0; i < rec->length; i++)
            printf("%02x", payload[i]);
        putchar('\n');
    }
    return 0;
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
        counter seen = { 0, 0 };
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
            xbp_feed(&reader, copy, n);
            free(copy);
        }
        status = xbp_finish(&reader);
        if (status == XBP_DONE)
            printf("DONE %lu\n", seen.records);
        else
            printf("%s\n", names[-(int)status]);
        free(data);
    }
    return ferror(stdin) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
