/* infer.c: see infer.h. The checks are those of SPEC.md, 2.4, and the law that of its 2.3; minirram/inference/integers.py is the
 * same in Python. Every step is walked twice by the same code: once to check it and to count memory, and to run it.
 */
#include "infer_inner.h"

#include <string.h>

enum { HEADER = 32, STEP = 8, CRC = 4, NO_OTHER = 0xFFFF };

static const uint8_t MAGIC[8] = { 0x89, 'X', 'D', 'I', '\r', '\n', 0x1A, '\n' };

int32_t infer_s32(const uint8_t *p)
{
    const uint32_t u = XBP_U32(p);

    return u <= (uint32_t)TOP ? (int32_t)u : -(int32_t)(UINT32_MAX - u) - 1;
}

uint32_t infer_bytes(const infer_shape *s)
{
    return s->codes ? (infer_numbers(s) + 3) & ~UINT32_C(3) : 4 * infer_numbers(s);
}

int32_t infer_number(const uint8_t *p, int codes, uint32_t k, unsigned zero)
{
    int32_t value;

    if (codes)
        return p[k] - (int32_t)zero;
    memcpy(&value, p + 4 * k, 4);
    return value;
}

/* -- matrices ---------------------------------------------------------------------------------------------------------- */

/* Reads are bounded, cover as many cells as the matrix has, and lie on the chip. Bytes of them, or an error. */
static int32_t check_reads(infer_model *m, const infer_matrix *x, uint32_t left, const chip_capabilities *can)
{
    const uint8_t *p = x->reads;
    uint64_t covered = 0;
    uint32_t used = 0, codes;
    uint16_t k, n;

    for (k = 0; k < x->n_reads; k++) {
        uint32_t macro, col0, pairs, n_pieces;
        if (left - used < INFER_READ)
            return INFER_E_LENGTH;
        macro = XBP_U16(p);
        col0 = XBP_U16(p + 2);
        pairs = XBP_U16(p + 4);
        n_pieces = XBP_U16(p + 8);
        if (left - used - INFER_READ < n_pieces * INFER_PIECE)
            return INFER_E_LENGTH;
        if (XBP_U16(p + 10))
            return INFER_E_RESERVED;
        if (col0 % 2 || pairs < 1 || XBP_U16(p + 6) + pairs > x->fan_out || n_pieces < 1)
            return INFER_E_RANGE;
        if (can && (macro >= can->macros || col0 + 2 * pairs > can->cols))
            return INFER_E_CHIP;
        codes = x->adc.polarity ? 2 * pairs : pairs;
        infer_larger(&m->adc_bytes, 4 * codes);
        used += INFER_READ + n_pieces * INFER_PIECE;
        for (p += INFER_READ, n = 0; n < n_pieces; n++, p += INFER_PIECE) {
            const uint32_t row0 = XBP_U16(p), rows = XBP_U16(p + 2);
            if (XBP_U16(p + 6))
                return INFER_E_RESERVED;
            if (rows < 1 || row0 + rows > MOST_LENGTH || XBP_U16(p + 4) + rows > x->fan_in)
                return INFER_E_RANGE;
            if (can && row0 + rows > can->rows)
                return INFER_E_CHIP;
            infer_larger(&m->driven_bytes, (row0 + rows + 31) / 32 * 4);
            covered += (uint64_t)rows * pairs;
        }
    }
    return covered == (uint64_t)x->fan_in * x->fan_out ? (int32_t)used : INFER_E_RANGE;
}

/* The numbers of a matrix. Its reads follow. */
static void matrix_at(const uint8_t *p, infer_matrix *x)
{
    x->fan_in = XBP_U16(p);
    x->fan_out = XBP_U16(p + 2);
    x->input_bits = p[4];
    x->adc.bits = p[5];
    x->adc.polarity = p[6];
    x->adc.lsb = XBP_U32(p + 8);
    x->adc.exponent = p[12] < 128 ? p[12] : p[12] - 256;
    x->shift = p[13];
    x->n_reads = XBP_U16(p + 14);
    x->multiplier = infer_s32(p + 16);
    x->reads = p + INFER_MATRIX;
    x->taken_back = NULL;
}

uint32_t infer_most_code(const infer_matrix *x)
{
    return (UINT32_C(1) << (x->adc.polarity ? x->adc.bits : x->adc.bits - 1)) - 1;
}

/* Totals fit 32 bits. */
static int totals_fit(const infer_matrix *x)
{
    uint64_t total = (uint64_t)x->n_reads * infer_most_code(x) * ((1u << x->input_bits) - 1), most = 0;
    uint16_t k;

    for (k = 0; x->taken_back && k < x->fan_out; k++) {
        const int64_t taken = infer_s32(x->taken_back + 4 * k);
        const uint64_t size = (uint64_t)(taken < 0 ? -taken : taken);
        most = size > most ? size : most;
    }
    return total + most <= (uint64_t)TOP;
}

/* Bytes of the matrix at the start of `left` bytes, or an error. */
static int32_t check_matrix(infer_model *m, const uint8_t *p, uint32_t left, const chip_capabilities *can)
{
    infer_matrix x;
    int32_t used;

    if (left < INFER_MATRIX)
        return INFER_E_LENGTH;
    if (p[6] > 1 || p[7] > 1)
        return INFER_E_RESERVED;
    matrix_at(p, &x);
    if (x.fan_in < 1 || x.fan_out < 1 || x.input_bits < 1 || x.input_bits > 8 || x.adc.bits < 4 || x.adc.bits > 24
        || x.adc.lsb < 1 || x.adc.lsb > UINT32_C(1) << 24 || x.adc.exponent < -64 || x.adc.exponent > 64
        || x.shift > MOST_SHIFT)
        return INFER_E_RANGE;
    infer_larger(&m->patch_bytes, (x.fan_in + UINT32_C(3)) & ~UINT32_C(3));
    used = check_reads(m, &x, left - INFER_MATRIX, can);
    if (used < 0)
        return used;
    if (p[7]) {
        if (left - INFER_MATRIX - (uint32_t)used < 4 * (uint32_t)x.fan_out)
            return INFER_E_LENGTH;
        x.taken_back = x.reads + used;
        used += 4 * (int32_t)x.fan_out;
    }
    return totals_fit(&x) ? INFER_MATRIX + used : INFER_E_RANGE;
}

void infer_find(const infer_model *m, unsigned k, infer_matrix *x)
{
    const uint8_t *p = m->file + HEADER, *head;
    uint16_t n;

    for (;; k--) {
        head = p;
        matrix_at(p, x);
        p = x->reads;
        for (n = 0; n < x->n_reads; n++)
            p += INFER_READ + (uint32_t)XBP_U16(p + 8) * INFER_PIECE;
        if (head[7]) {
            x->taken_back = p;
            p += 4 * (uint32_t)x->fan_out;
        }
        if (k == 0)
            return;
    }
}

/* -- the walk ---------------------------------------------------------------------------------------------------------- */

/* Bytes of the body of a kind of step; -1 for a kind that is not known. */
static int32_t body_bytes(unsigned kind, const uint8_t *p, uint32_t left)
{
    static const int8_t bytes[] = { -1, 24, 12, 4, 8, 8, 16, 20, 12, 8, 12, 12, 0, 4, 0 };

    if (kind >= sizeof bytes || kind == 0)
        return -1;
    return kind == AFFINE && left >= 4 ? 4 + 8 * (int32_t)XBP_U16(p) : bytes[kind];
}

static infer_kept *kept_of(infer_model *m, unsigned step)
{
    uint16_t k;

    for (k = 0; k < m->n_kept; k++)
        if (m->kept[k].step == step)
            return &m->kept[k];
    return NULL;
}

/* Finds the outputs that wait, and whether all steps lie in the file. */
static int find_kept(infer_model *m)
{
    uint32_t at = m->steps_at;
    uint16_t k;

    for (k = 0; k < m->n_steps; k++) {
        const uint8_t *const p = m->file + at;
        const uint32_t left = m->size - CRC - at;
        uint32_t other;
        int32_t bytes;
        if (left < STEP)
            return INFER_E_LENGTH;
        bytes = body_bytes(p[0], p + STEP, left - STEP);
        other = XBP_U16(p + 2);
        if (bytes < 0)
            return INFER_E_TYPE;
        if (XBP_U32(p + 4) != (uint32_t)bytes || left - STEP < (uint32_t)bytes)
            return INFER_E_LENGTH;
        if (p[0] == ADD || p[0] == CONCAT || p[0] == RECALL ? other >= k : other != NO_OTHER)
            return INFER_E_RANGE;
        if (other != NO_OTHER && !kept_of(m, other)) {
            if (m->n_kept == INFER_MOST_KEPT)
                return INFER_E_RANGE;
            m->kept[m->n_kept++].step = (uint16_t)other;
        }
        at += STEP + (uint32_t)bytes;
    }
    return at == m->size - CRC ? INFER_OK : INFER_E_LENGTH;
}

static int take_steps(infer_walk *w, infer_saw saw, void *user)
{
    infer_model *const m = w->m;
    const uint8_t *p = m->file + m->steps_at;
    uint16_t k;

    for (k = 0; k < m->n_steps; k++) {
        const uint16_t other = XBP_U16(p + 2);
        const int status = infer_step(w, p[0], p + STEP, other == NO_OTHER ? NULL : kept_of(m, other));
        infer_kept *const waits = kept_of(m, k);
        if (status != INFER_OK)
            return status;
        if (waits && w->work) {
            memcpy(w->work + waits->at, infer_signal(w), infer_bytes(&w->x));
        } else if (waits) {
            waits->shape = w->x;
            waits->at = m->kept_bytes;
            m->kept_bytes += infer_bytes(&w->x);
        }
        if (saw && w->work)
            saw(user, k, &w->x, infer_signal(w));
        p += STEP + XBP_U32(p + 4);
    }
    return INFER_OK;
}

static void start(infer_walk *w, infer_model *m, uint8_t *work, chip *target)
{
    memset(w, 0, sizeof *w);
    w->m = m;
    w->work = work;
    w->target = target;
    w->x = m->input;
}

/* The header: that it is one, and the shape of the input. */
static int check_header(infer_model *m)
{
    const uint8_t *const p = m->file;

    if (m->size < HEADER + CRC)
        return INFER_E_TRUNCATED;
    if (memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return INFER_E_MAGIC;
    if (p[8] != 1)
        return INFER_E_VERSION;
    if (XBP_U32(p + 12) != m->size)
        return INFER_E_TRUNCATED;
    if (xbp_crc32(0, p, m->size - CRC) != XBP_U32(p + m->size - CRC))
        return INFER_E_CRC;
    if (XBP_U16(p + 26))
        return INFER_E_RESERVED;
    m->n_matrices = XBP_U16(p + 10);
    m->n_steps = XBP_U16(p + 16);
    m->input_bits = p[18];
    m->input.height = XBP_U16(p + 20);
    m->input.width = XBP_U16(p + 22);
    m->input.channels = XBP_U16(p + 24);
    m->input.codes = 1;
    if (m->input_bits < 1 || m->input_bits > 8 || p[19] >> m->input_bits || m->n_steps < 1 || m->input.height < 1
        || m->input.width < 1 || m->input.channels < 1 || m->input.height * m->input.width > MOST_NUMBERS
        || (uint64_t)m->input.height * m->input.width * m->input.channels > MOST_NUMBERS)
        return INFER_E_RANGE;
    return INFER_OK;
}

int infer_open(infer_model *m, const uint8_t *file, uint32_t size, const chip_capabilities *can)
{
    uint16_t k;
    int status;
    infer_walk w;

    memset(m, 0, sizeof *m);
    m->file = file;
    m->size = size;
    status = check_header(m);
    m->steps_at = HEADER;
    for (k = 0; k < m->n_matrices && status == INFER_OK; k++) {
        const int32_t bytes = check_matrix(m, file + m->steps_at, size - CRC - m->steps_at, can);
        if (bytes < 0)
            return (int)bytes;
        m->steps_at += (uint32_t)bytes;
    }
    if (status == INFER_OK)
        status = find_kept(m);
    if (status != INFER_OK)
        return status;
    start(&w, m, NULL, NULL);
    infer_larger(&m->signal_bytes, infer_bytes(&m->input));
    status = take_steps(&w, NULL, NULL);
    m->output = w.x;
    m->work_bytes = m->kept_bytes + m->adc_bytes + m->driven_bytes + m->patch_bytes + m->sum_bytes + m->signal_bytes;
    return status;
}

int infer_run(infer_model *m, chip *target, const uint8_t *input, void *work, uint32_t size, infer_saw saw, void *user)
{
    const uint32_t n = infer_numbers(&m->input);
    uint32_t k, best = 0;
    int status;
    infer_walk w;

    m->logits = NULL;
    if (size < m->work_bytes)
        return INFER_E_MEMORY;
    for (k = 0; k < n; k++)
        if (input[k] >> m->input_bits)
            return INFER_E_INPUT;
    start(&w, m, work, target);
    memcpy(infer_signal(&w), input, n);
    status = take_steps(&w, saw, user);
    if (status != INFER_OK)
        return status;
    for (k = 1; k < m->output.channels; k++)
        if (infer_number(infer_signal(&w), m->output.codes, k, 0) > infer_number(infer_signal(&w), m->output.codes, best, 0))
            best = k;
    if (!m->output.codes)
        m->logits = (const int32_t *)(const void *)(infer_signal(&w));
    return (int)best;
}
