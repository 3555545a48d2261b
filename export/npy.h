/* npy.h: maps of doubles as .npy files (NumPy format 1 to 3, C order, little-endian f4 or f8), any host byte order. */
#ifndef NPY_H
#define NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    size_t macros, rows, cols;
    double *values; /* macros * rows * cols, row by row; free() it */
} npy_map;

/* Reads (macros, rows, cols), or (rows, cols) as one macro. NULL, or what is wrong with the file. */
const char *npy_read(const char *path, npy_map *map);

enum { NPY_HEADER = 128 };

/* The header of an array of the map's shape; descr: as NumPy's, for example "<f8". */
void npy_header(uint8_t head[NPY_HEADER], const char *descr, const npy_map *map);

/* Appends float64 (macros, rows, cols) to a file: header and values. 0, or -1 when it could not be written. */
int npy_put(FILE *file, const npy_map *map);

#endif
