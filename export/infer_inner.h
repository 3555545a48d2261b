/* infer_inner.h: what infer.c and infer_steps.c share. Not for users of infer.h. */
#ifndef INFER_INNER_H
#define INFER_INNER_H

#include "infer.h"
#include "xbp.h"

enum { INFER_READ = 12, INFER_PIECE = 8, INFER_MATRIX = 20 }; /* bytes */
enum { CONVOLVE = 1, RECUR, AFFINE, CLIP, QUANTIZE, MAX_POOL, MEAN_POOL, PAD, SCALE, ADD, CONCAT, RECALL, SHUFFLE, FLATTEN };
enum { MOST_LENGTH = 0xFFFF, MOST_SHIFT = 62 };
#define MOST_NUMBERS (UINT32_C(1) << 24)
#define TOP INT32_C(0x7FFFFFFF)

typedef struct {
    uint16_t fan_in, fan_out, n_reads;
    uint8_t input_bits, shift;
    int32_t multiplier;
    chip_converter adc;
    const uint8_t *reads, *taken_back; /* taken_back: NULL for none */
} infer_matrix;

/* A walk over the steps. work: NULL while they are checked. */
typedef struct {
    infer_model *m;
    chip *target;
    uint8_t *work;
    infer_shape x, from; /* of the numbers that are there now, and of those that the present step got */
    uint32_t at;         /* where they lie in the part for signals: at its start, or up to its end */
    uint8_t *in, *out;
} infer_walk;

/* Little-endian int32. */
int32_t infer_s32(const uint8_t *p);

/* Bytes of the numbers, up to a multiple of 4. */
uint32_t infer_bytes(const infer_shape *s);

/* Matrix k of a file whose matrices were checked. */
void infer_find(const infer_model *m, unsigned k, infer_matrix *x);

/* The largest code of its converter. */
uint32_t infer_most_code(const infer_matrix *x);

/* Where the present numbers lie. */
uint8_t *infer_signal(const infer_walk *w);

/* Number k of a signal, less its zero point. */
int32_t infer_number(const uint8_t *p, int codes, uint32_t k, unsigned zero);

/* One step, of body p: checked, then done when there is working memory. other: of ADD, CONCAT and RECALL. */
int infer_step(infer_walk *w, unsigned kind, const uint8_t *p, const infer_kept *other);

static inline uint32_t infer_numbers(const infer_shape *s)
{
    return s->height * s->width * s->channels;
}

static inline void infer_larger(uint32_t *most, uint32_t value)
{
    *most = value > *most ? value : *most;
}

#endif
