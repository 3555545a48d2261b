/* npy.c: libFuzzer harness of the map reader: any bytes as a .npy file; what is read is written and read again. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static char path[64];
    npy_map map, again;
    FILE *file;
    size_t i;

    if (!path[0])
        snprintf(path, sizeof path, "/tmp/fuzz-npy-%ld.npy", (long)getpid());
    file = fopen(path, "wb");
    if (!file || fwrite(input, 1, size, file) != size)
        abort();
    fclose(file);
    if (npy_read(path, &map) == NULL) {
        file = fopen(path, "wb");
        if (!file || npy_put(file, &map) != 0 || fclose(file) != 0 || npy_read(path, &again) != NULL)
            abort();
        if (again.macros != map.macros || again.rows != map.rows || again.cols != map.cols)
            abort();
        for (i = 0; i < map.macros * map.rows * map.cols; i++)
            if (again.values[i] != map.values[i] && map.values[i] == map.values[i])
                abort();
        free(map.values);
        free(again.values);
    }
    remove(path);
    return 0;
}
