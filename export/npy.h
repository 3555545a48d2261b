/* npy.h: maps of doubles as .npy files (NumPy format 1 to 3, C order, little-endian f4 or f8), any host byte order. */
#ifndef NPY_H
#define NPY_H

#include <stddef.h>

typedef struct {
    size_t macros, rows, cols;
    double *values; /* macros * rows * cols, row by row; free() it */
} npy_map;

/* Reads (macros, rows, cols), or (rows, cols) as one macro. NULL, or what is wrong with the file. */
const char *npy_read(const char *path, npy_map *map);

/* Writes float64 (macros, rows, cols). NULL, or what went wrong. */
const char *npy_write(const char *path, const npy_map *map);

#endif
