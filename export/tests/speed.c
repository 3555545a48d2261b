/* speed.c: how fast the reader takes a program file: `speed FILE CHIP_ID [SECONDS]` prints passes and seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../xbp.h"

int main(int argc, char **argv)
{
    static xbp_reader reader;
    const double limit = argc > 3 ? atof(argv[3]) : 1.0;
    FILE *const file = argc > 2 ? fopen(argv[1], "rb") : NULL;
    long size;
    uint8_t *data;
    unsigned long passes = 0;
    clock_t start;
    double seconds;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0) {
        fputs("usage: speed FILE CHIP_ID [SECONDS]\n", stderr);
        return 2;
    }
    rewind(file);
    data = malloc((size_t)size);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
        return 2;
    fclose(file);
    start = clock();
    do {
        xbp_init(&reader, (uint32_t)strtoul(argv[2], NULL, 0), NULL, NULL);
        xbp_feed(&reader, data, (size_t)size);
        if (xbp_finish(&reader) != XBP_DONE)
            return 3;
        passes++;
        seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    } while (seconds < limit);
    printf("%lu %.6f\n", passes, seconds);
    free(data);
    return 0;
}
