/* npy.c: see npy.h. The header of a .npy file is a Python dictionary in ASCII; only what NumPy writes is understood. */
#include "npy.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 4096, MAX_SIDE = 65535 };
static const size_t MAX_CELLS = (size_t)1 << 28;

static uint64_t little_endian(const uint8_t *p, int n)
{
    uint64_t value = 0;

    while (n--)
        value = value << 8 | p[n];
    return value;
}

static double as_double(const uint8_t *p, int size)
{
    if (size == 4) {
        const uint32_t bits = (uint32_t)little_endian(p, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    } else {
        const uint64_t bits = little_endian(p, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
}

/* The shape behind 'shape': in the header, e.g. (2, 512, 512); 0 when it has not two or three sides. */
static int shape(const char *text, npy_map *map)
{
    unsigned long side[3] = { 0, 0, 0 };
    int n = 0;

    if (*text++ != '(')
        return 0;
    for (; n < 4 && *text >= '0' && *text <= '9'; n++) {
        char *end;
        const unsigned long value = strtoul(text, &end, 10);
        if (n == 3 || value < 1 || value > MAX_SIDE)
            return 0;
        side[n] = value;
        for (text = end; *text == ',' || *text == ' '; text++)
            ;
    }
    if (*text != ')' || n < 2)
        return 0;
    map->macros = n == 3 ? side[0] : 1;
    map->rows = side[n - 2];
    map->cols = side[n - 1];
    return map->rows * map->cols <= MAX_CELLS / map->macros;
}

/* Reads the header; the size of one value, or 0 with `problem` set. */
static int header(FILE *file, npy_map *map, const char **problem)
{
    uint8_t start[12];
    char text[MAX_HEADER + 1], *found;
    size_t length, extra;

    *problem = "not a .npy file";
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3)
        return 0;
    extra = start[6] == 1 ? 0 : 2; /* format 1 has a 16-bit length, later ones 32 bits */
    if (fread(start + 10, 1, extra, file) != extra)
        return 0;
    length = (size_t)little_endian(start + 8, 2 + (int)extra);
    if (length > MAX_HEADER || fread(text, 1, length, file) != length)
        return 0;
    text[length] = 0;
    *problem = "expected little-endian floats (f4 or f8) in C order";
    if (!strstr(text, "'fortran_order': False"))
        return 0;
    found = strstr(text, "'shape': ");
    if (!found || !shape(found + 9, map)) {
        *problem = "expected the shape (macros, rows, cols) or (rows, cols)";
        return 0;
    }
    if (strstr(text, "'descr': '<f8'"))
        return 8;
    return strstr(text, "'descr': '<f4'") ? 4 : 0;
}

const char *npy_read(const char *path, npy_map *map)
{
    FILE *const file = fopen(path, "rb");
    const char *problem = NULL;
    size_t cells, i;
    int size;

    map->values = NULL;
    if (!file)
        return "cannot be opened";
    size = header(file, map, &problem);
    if (size) {
        problem = NULL;
        cells = map->macros * map->rows * map->cols;
        map->values = malloc(cells * sizeof *map->values);
        if (!map->values)
            problem = "too large for the memory";
        for (i = 0; !problem && i < cells; i++) {
            uint8_t raw[8];
            if (fread(raw, 1, (size_t)size, file) != (size_t)size)
                problem = "ends too early";
            else
                map->values[i] = as_double(raw, size);
        }
        if (!problem && fgetc(file) != EOF)
            problem = "has bytes behind its values";
    }
    fclose(file);
    if (problem) {
        free(map->values);
        map->values = NULL;
    }
    return problem;
}

void npy_header(uint8_t head[NPY_HEADER], const char *descr, const npy_map *map)
{
    char text[NPY_HEADER];
    const int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%lu, %lu, %lu), }", descr,
                           (unsigned long)map->macros, (unsigned long)map->rows, (unsigned long)map->cols);

    memset(head, ' ', NPY_HEADER);
    memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76 = NPY_HEADER - 10 */
    memcpy(head + 10, text, (size_t)n);
    head[NPY_HEADER - 1] = '\n';
}

int npy_put(FILE *file, const npy_map *map)
{
    const size_t cells = map->macros * map->rows * map->cols;
    uint8_t head[NPY_HEADER], raw[512];
    size_t i, n = 0;
    int k, good;

    npy_header(head, "<f8", map);
    good = fwrite(head, 1, sizeof head, file) == sizeof head;
    for (i = 0; good && i < cells; i++) {
        uint64_t bits;
        memcpy(&bits, &map->values[i], sizeof bits);
        for (k = 0; k < 8; k++)
            raw[n++] = (uint8_t)(bits >> 8 * k);
        if (n == sizeof raw || i + 1 == cells) {
            good = fwrite(raw, 1, n, file) == n;
            n = 0;
        }
    }
    return good ? 0 : -1;
}
