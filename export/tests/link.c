/* link.c: a program file over a bad link: `link FILE CHIP_ID SEED` sends each record damaged, cut, doubled or lost at first.
 *
 * The receiver knows nothing but xbp_finish and the number that the reader waits for. Prints DONE, the records that the sink
 * saw and how often a record was asked for again; or the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../xbp.h"

enum { MOST_RECORDS = 100000 };

static unsigned long records;

static int count(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    (void)user;
    (void)rec;
    (void)payload;
    records++;
    return 0;
}

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

int main(int argc, char **argv)
{
    static const char *const names[] = XBP_ERROR_NAMES;
    static xbp_reader reader;
    static uint8_t sent[XBP_RECORD_SIZE + XBP_MAX_PAYLOAD + 4u];
    static uint32_t start[MOST_RECORDS + 2];
    FILE *const file = argc > 3 ? fopen(argv[1], "rb") : NULL;
    uint32_t seed, n = 1, again = 0;
    uint8_t *data;
    long size;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0)
        return 2;
    rewind(file);
    data = malloc((size_t)size);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
        return 2;
    /* start[0]: the file header, start[k + 1]: record k. */
    for (start[1] = XBP_HEADER_SIZE; start[n] < (uint32_t)size && n <= MOST_RECORDS; n++)
        start[n + 1] = start[n] + XBP_RECORD_SIZE + ((XBP_U16(data + start[n] + XBP_RECORD_STORED) + 3u) & ~3u) + 4u;
    seed = (uint32_t)strtoul(argv[3], NULL, 0);
    xbp_init(&reader, (uint32_t)strtoul(argv[2], NULL, 0), count, NULL);
    while (xbp_finish(&reader) == XBP_E_TRUNCATED) {
        const uint32_t unit = reader.offset ? reader.number + 1u : 0, length = start[unit + 1] - start[unit];
        const uint32_t harm = draw(&seed) % 8u;

        memcpy(sent, data + start[unit], length);
        if (harm == 0)
            sent[draw(&seed) % length] ^= (uint8_t)(1u << draw(&seed) % 8u);
        xbp_feed(&reader, sent, harm == 1 ? draw(&seed) % length : length);
        if (harm == 2) /* doubled: the link did not hear that it arrived */
            xbp_feed(&reader, sent, length);
        if (xbp_finish(&reader) == XBP_E_EXTRA)
            break;
        again += harm < 3;
        if (xbp_again(&reader) != XBP_OK)
            break;
    }
    if (xbp_finish(&reader) == XBP_DONE)
        printf("DONE %lu %lu\n", records, (unsigned long)again);
    else
        printf("%s\n", names[-(int)xbp_finish(&reader)]);
    free(data);
    fclose(file);
    return 0;
}
