/* infer.h: the digital side of inference on a programmed chip, in integers (SPEC.md, part 2). No allocation: the file stays
 * where it is, for example in flash, and the caller brings the working memory.
 */
#ifndef INFER_H
#define INFER_H

#include "chip.h"

#ifndef INFER_TRIES
#define INFER_TRIES 20 /* times that one conversion is asked for when its reply is lost or damaged */
#endif

enum { INFER_MOST_KEPT = 16 }; /* outputs that wait for a later step */

/* What infer_open and infer_run say; the names are those of SPEC.md, 2.4. */
enum {
    INFER_OK = 0,
    INFER_E_TRUNCATED = -1, /* shorter than a header, or not of the length that it says */
    INFER_E_MAGIC = -2,     /* another kind of file */
    INFER_E_VERSION = -3,   /* a version that this reader does not know */
    INFER_E_CRC = -4,       /* the checksum differs */
    INFER_E_RESERVED = -5,  /* a bit that must be 0 is set */
    INFER_E_LENGTH = -6,    /* a length that does not fit the file or its kind */
    INFER_E_TYPE = -7,      /* a kind of step that is not known */
    INFER_E_RANGE = -8,     /* a number out of its range, or shapes that do not fit together */
    INFER_E_CHIP = -9,      /* cells that the chip does not have */
    INFER_E_MEMORY = -10,   /* less working memory than infer_open asked for */
    INFER_E_INPUT = -11,    /* a code beyond the bits of the input */
    INFER_E_SILENT = -12    /* the chip gives no answer, or one that no converter gives */
};

typedef struct {
    uint32_t height, width, channels;
    int codes; /* uint8_t codes, else int32_t values */
} infer_shape;

typedef struct {
    uint16_t step;
    infer_shape shape;
    uint32_t at; /* in the working memory */
} infer_kept;

typedef struct {
    const uint8_t *file;
    uint32_t size, steps_at;     /* bytes */
    uint16_t n_matrices, n_steps, n_kept;
    uint8_t input_bits;
    infer_shape input, output;
    infer_kept kept[INFER_MOST_KEPT];
    uint32_t kept_bytes, adc_bytes, driven_bytes, patch_bytes, sum_bytes, signal_bytes; /* parts of the working memory */
    uint32_t work_bytes;         /* what infer_run needs */
    uint32_t number;             /* of the last command to the chip; set it where others command the chip, too */
    const int32_t *logits;       /* of the last run, in the working memory; or NULL */
} infer_model;

/* Is told what leaves every step: uint8_t codes or int32_t values, row by row, channels last. */
typedef void (*infer_saw)(void *user, unsigned step, const infer_shape *shape, const void *numbers);

/* Checks the file and finds what it needs. can: the chip, whose lines are compared; NULL: they are not. */
int infer_open(infer_model *m, const uint8_t *file, uint32_t size, const chip_capabilities *can);

/* One input: a code of each pixel, row by row, channels last. work: aligned for uint32_t. Returns the index of the largest of
 * the logits, the first of several (of an image: that of its first pixel), or an error. */
int infer_run(infer_model *m, chip *target, const uint8_t *input, void *work, uint32_t size, infer_saw saw, void *user);

#endif
