/* infer_steps.c: the steps of a network in integers (SPEC.md, 2.3 and 2.4). */
#include "infer_inner.h"

#include <string.h>

static int32_t limited(int64_t x)
{
    return x > TOP ? TOP : x < -TOP ? -TOP : (int32_t)x;
}

/* x * multiplier * 2^-shift, rounded, halves up. */
static int32_t scaled(int32_t x, int32_t multiplier, unsigned shift)
{
    int64_t y = (int64_t)x * multiplier;

    if (shift) {
        y += (int64_t)1 << (shift - 1);
        y = y < 0 ? ~(~y >> shift) : y >> shift;
    }
    return limited(y);
}

static uint8_t code_of(int32_t x, int32_t multiplier, unsigned shift, unsigned bits, unsigned zero)
{
    const int64_t code = (int64_t)scaled(x, multiplier, shift) + zero, most = (1 << bits) - 1;

    return (uint8_t)(code < 0 ? 0 : code > most ? most : code);
}

/* -- products ---------------------------------------------------------------------------------------------------------- */

/* The working memory: outputs that wait, codes of the converters, driven rows, codes of a patch, sums, signals. */
static int32_t *adc_of(const infer_walk *w)
{
    return (int32_t *)(void *)(w->work + w->m->kept_bytes);
}

static uint8_t *driven_of(const infer_walk *w)
{
    return w->work + w->m->kept_bytes + w->m->adc_bytes;
}

static uint8_t *patch_of(const infer_walk *w)
{
    return driven_of(w) + w->m->driven_bytes;
}

static int32_t *sums_of(const infer_walk *w)
{
    return (int32_t *)(void *)(patch_of(w) + w->m->patch_bytes);
}

static uint8_t *signals_of(const infer_walk *w)
{
    return (uint8_t *)(void *)sums_of(w) + w->m->sum_bytes;
}

uint8_t *infer_signal(const infer_walk *w)
{
    return signals_of(w) + w->at;
}

/* The rows that one bit plane of the codes drives; whether there are any. */
static int drive(const infer_walk *w, const uint8_t *pieces, unsigned n_pieces, const uint8_t *codes, unsigned bit)
{
    uint8_t *const driven = driven_of(w);
    int any = 0;

    memset(driven, 0, w->m->driven_bytes);
    for (; n_pieces; n_pieces--, pieces += INFER_PIECE) {
        uint32_t row = XBP_U16(pieces), rows = XBP_U16(pieces + 2);
        const uint8_t *code = codes + XBP_U16(pieces + 4);
        for (; rows; rows--, row++)
            if (*code++ >> bit & 1) {
                driven[row >> 3] = (uint8_t)(driven[row >> 3] | 1u << (row & 7));
                any = 1;
            }
    }
    return any;
}

/* Has one bit plane converted and adds its codes, shifted, to the totals. */
static int convert(infer_walk *w, const infer_matrix *x, const chip_plane *plane, unsigned bit, int32_t *totals)
{
    const int32_t most = (int32_t)infer_most_code(x), least = x->adc.polarity ? 0 : -most;
    int32_t *const adc = adc_of(w);
    chip_status status = CHIP_NO_REPLY;
    unsigned tries = 0;
    uint32_t k;

    w->m->number++;
    while ((status == CHIP_NO_REPLY || status == CHIP_BAD_REPLY) && tries++ < INFER_TRIES)
        status = chip_convert(w->target, w->m->number, plane, &x->adc, adc);
    if (status != CHIP_OK)
        return INFER_E_SILENT;
    for (k = 0; k < plane->pairs << (x->adc.polarity != 0); k++)
        if (adc[k] < least || adc[k] > most)
            return INFER_E_SILENT;
    for (k = 0; k < plane->pairs; k++)
        totals[k] += (x->adc.polarity ? adc[2 * k] - adc[2 * k + 1] : adc[k]) * (INT32_C(1) << bit);
    return INFER_OK;
}

/* Values of a product: codes of fan_in rows to fan_out values. A plane that drives no row is not converted: it reads 0. */
static int product(infer_walk *w, const infer_matrix *x, const uint8_t *codes, int32_t *values)
{
    const uint8_t *p = x->reads;
    uint16_t k;
    int status;

    memset(values, 0, 4 * (size_t)x->fan_out);
    for (k = 0; k < x->n_reads; k++) {
        const unsigned n_pieces = XBP_U16(p + 8);
        chip_plane plane;
        unsigned bit;
        plane.macro = XBP_U16(p);
        plane.col0 = XBP_U16(p + 2);
        plane.pairs = XBP_U16(p + 4);
        plane.driven = driven_of(w);
        for (bit = 0; bit < x->input_bits; bit++)
            if (drive(w, p + INFER_READ, n_pieces, codes, bit)) {
                status = convert(w, x, &plane, bit, values + XBP_U16(p + 6));
                if (status != INFER_OK)
                    return status;
            }
        p += INFER_READ + n_pieces * INFER_PIECE;
    }
    for (k = 0; k < x->fan_out; k++) {
        const int32_t total = values[k] - (x->taken_back ? infer_s32(x->taken_back + 4 * (uint32_t)k) : 0);
        values[k] = scaled(total, x->multiplier, x->shift);
    }
    return INFER_OK;
}

/* -- signals ----------------------------------------------------------------------------------------------------------- */

/* The numbers that the present step makes, and where: on the other side of the part for signals, or in place. */
static int make(infer_walk *w, int64_t height, int64_t width, int64_t channels, int codes, int in_place)
{
    infer_model *const m = w->m;
    const uint32_t before = infer_bytes(&w->x);
    uint32_t after;

    if (height < 1 || width < 1 || channels < 1 || height > MOST_LENGTH || width > MOST_LENGTH || channels > MOST_LENGTH
        || height * width > MOST_NUMBERS || height * width * channels > MOST_NUMBERS)
        return INFER_E_RANGE;
    w->from = w->x;
    w->x.height = (uint32_t)height;
    w->x.width = (uint32_t)width;
    w->x.channels = (uint32_t)channels;
    w->x.codes = codes;
    after = infer_bytes(&w->x);
    if (!w->work) {
        infer_larger(&m->signal_bytes, in_place ? (before > after ? before : after) : before + after);
        return INFER_OK;
    }
    w->in = signals_of(w) + w->at;
    if (!in_place)
        w->at = w->at ? 0 : m->signal_bytes - after;
    w->out = signals_of(w) + w->at;
    return INFER_OK;
}

/* As wide as before. */
static int same(infer_walk *w, int codes, int in_place)
{
    return make(w, w->x.height, w->x.width, w->x.channels, codes, in_place);
}

/* What is shorter than it was moves up to the end, where it lay. */
static void settle(infer_walk *w)
{
    if (w->at) {
        const uint32_t at = w->m->signal_bytes - infer_bytes(&w->x);
        memmove(signals_of(w) + at, signals_of(w) + w->at, infer_numbers(&w->x));
        w->at = at;
    }
}

static void put_number(uint8_t *p, int codes, uint32_t k, int32_t value)
{
    if (codes)
        p[k] = (uint8_t)value;
    else
        memcpy(p + 4 * k, &value, 4);
}

/* -- steps: the body p of n bytes, checked, then done when there is working memory ---------------------------------------- */

/* Codes of the patch whose first pixel is at (top, left), of `channels` channels from `first` on. */
static void take_patch(const infer_walk *w, const uint8_t *p, int64_t top, int64_t left, uint32_t first, uint32_t channels)
{
    const uint32_t kh = XBP_U16(p + 4), kw = XBP_U16(p + 6), dh = XBP_U16(p + 16), dw = XBP_U16(p + 18);
    uint8_t *to = patch_of(w);
    uint32_t i, j;

    for (i = 0; i < kh; i++)
        for (j = 0; j < kw; j++, to += channels) {
            const int64_t y = top + (int64_t)i * dh, x = left + (int64_t)j * dw;
            if (y < 0 || x < 0 || y >= w->from.height || x >= w->from.width)
                memset(to, p[22], channels);
            else
                memcpy(to, w->in + ((uint32_t)y * w->from.width + (uint32_t)x) * w->from.channels + first, channels);
        }
}

static int convolve(infer_walk *w, const uint8_t *p)
{
    const uint32_t first = XBP_U16(p), groups = XBP_U16(p + 2), kh = XBP_U16(p + 4), kw = XBP_U16(p + 6);
    const uint32_t down = XBP_U16(p + 8), right = XBP_U16(p + 10), above = XBP_U16(p + 12), left = XBP_U16(p + 14);
    const uint32_t dh = XBP_U16(p + 16), dw = XBP_U16(p + 18), out = XBP_U16(p + 20);
    uint32_t g, row, col, channels;
    infer_matrix x;
    int status;

    if (p[23])
        return INFER_E_RESERVED;
    if (!w->x.codes || groups < 1 || first + groups > w->m->n_matrices || w->x.channels % groups || kh < 1 || kw < 1
        || down < 1 || right < 1 || dh < 1 || dw < 1)
        return INFER_E_RANGE;
    channels = w->x.channels / groups;
    for (g = 0; g < groups; g++) {
        infer_find(w->m, first + g, &x);
        if (x.fan_in != (uint64_t)kh * kw * channels || x.fan_out * groups != out || (x.taken_back != NULL) != (p[22] > 0))
            return INFER_E_RANGE;
    }
    row = w->x.height, col = w->x.width;
    if ((int64_t)row + 2 * above <= (int64_t)dh * (kh - 1) || (int64_t)col + 2 * left <= (int64_t)dw * (kw - 1))
        return INFER_E_RANGE;
    status = make(w, ((int64_t)row + 2 * above - (int64_t)dh * (kh - 1) - 1) / down + 1,
                  ((int64_t)col + 2 * left - (int64_t)dw * (kw - 1) - 1) / right + 1, out, 0, 0);
    for (g = 0; g < groups && status == INFER_OK && w->work; g++) {
        infer_find(w->m, first + g, &x);
        for (row = 0; row < w->x.height; row++)
            for (col = 0; col < w->x.width && status == INFER_OK; col++) {
                uint8_t *const to = w->out + 4 * ((row * w->x.width + col) * out + g * x.fan_out);
                take_patch(w, p, (int64_t)row * down - above, (int64_t)col * right - left, g * channels, channels);
                status = product(w, &x, patch_of(w), (int32_t *)(void *)to);
            }
    }
    return status;
}

static int recur(infer_walk *w, const uint8_t *p)
{
    const uint32_t into = XBP_U16(p), hidden = XBP_U16(p + 2);
    const unsigned shift = p[8], bits = p[9], zero = p[10];
    uint32_t t, k, n;
    infer_matrix one, two;
    int status;

    if (p[11])
        return INFER_E_RESERVED;
    if (!w->x.codes || w->x.height != 1 || into >= w->m->n_matrices || hidden >= w->m->n_matrices || shift > MOST_SHIFT
        || bits < 1 || bits > 8)
        return INFER_E_RANGE;
    infer_find(w->m, into, &one);
    infer_find(w->m, hidden, &two);
    n = one.fan_out;
    if (one.fan_in != w->x.channels || n != two.fan_in || n != two.fan_out || (one.taken_back != NULL) != (zero > 0)
        || two.taken_back)
        return INFER_E_RANGE;
    infer_larger(&w->m->sum_bytes, 4 * n);
    status = make(w, 1, w->x.width, n, 0, 0);
    for (t = 0; t < w->x.width && status == INFER_OK && w->work; t++) {
        int32_t *const h = (int32_t *)(void *)w->out + t * n, *const sums = sums_of(w);
        status = product(w, &one, w->in + t * w->from.channels, h);
        if (t && status == INFER_OK) {
            for (k = 0; k < n; k++)
                patch_of(w)[k] = code_of(h[(int32_t)k - (int32_t)n], infer_s32(p + 4), shift, bits, 0);
            status = product(w, &two, patch_of(w), sums);
        }
        for (k = 0; k < n; k++) {
            const int32_t total = t ? limited((int64_t)h[k] + sums[k]) : h[k];
            h[k] = total > 0 ? total : 0;
        }
    }
    return status;
}

static int affine(infer_walk *w, const uint8_t *p)
{
    const unsigned channels = XBP_U16(p), shift = p[2], zero = p[3];
    const int codes = w->x.codes;
    uint32_t k;
    int status;

    if (channels != w->x.channels || shift > MOST_SHIFT || (!codes && zero))
        return INFER_E_RANGE;
    status = same(w, 0, !codes);
    for (k = 0; k < infer_numbers(&w->x) && status == INFER_OK && w->work; k++) {
        const uint8_t *const of = p + 4 + 8 * (k % channels);
        const int32_t y = scaled(infer_number(w->in, codes, k, zero), infer_s32(of), shift);
        put_number(w->out, 0, k, limited((int64_t)y + infer_s32(of + 4)));
    }
    return status;
}

static int clip(infer_walk *w, const uint8_t *p)
{
    const int32_t low = infer_s32(p), high = infer_s32(p + 4);
    uint32_t k;
    int status;

    if (w->x.codes || low < -TOP || low > high)
        return INFER_E_RANGE;
    status = same(w, 0, 1);
    for (k = 0; k < infer_numbers(&w->x) && status == INFER_OK && w->work; k++) {
        const int32_t y = infer_number(w->in, 0, k, 0);
        put_number(w->out, 0, k, y < low ? low : y > high ? high : y);
    }
    return status;
}

static int quantize(infer_walk *w, const uint8_t *p)
{
    const unsigned shift = p[4], bits = p[5], zero = p[6];
    uint32_t k;
    int status;

    if (p[7])
        return INFER_E_RESERVED;
    if (w->x.codes || shift > MOST_SHIFT || bits < 1 || bits > 8 || zero >> bits)
        return INFER_E_RANGE;
    status = same(w, 1, 1);
    if (status == INFER_OK && w->work) {
        for (k = 0; k < infer_numbers(&w->x); k++)
            w->out[k] = code_of(infer_number(w->in, 0, k, 0), infer_s32(p), shift, bits, zero);
        settle(w);
    }
    return status;
}

/* Floor of (total + count / 2) / count. */
static int32_t mean(int64_t total, int64_t count)
{
    const int64_t twice = 2 * total + count, by = 2 * count;

    return limited(twice < 0 ? -((-twice + by - 1) / by) : twice / by);
}

/* One output of a pool: what of its window lies in the image. */
static int32_t pooled(const infer_walk *w, const uint8_t *p, uint32_t row, uint32_t col, uint32_t channel, int is_mean)
{
    const uint32_t kh = XBP_U16(p), kw = XBP_U16(p + 2);
    const int64_t top = (int64_t)row * XBP_U16(p + 4) - XBP_U16(p + 8), left = (int64_t)col * XBP_U16(p + 6) - XBP_U16(p + 10);
    int64_t total = 0, count = 0;
    int32_t most = -TOP;
    uint32_t i, j;

    for (i = 0; i < kh; i++)
        for (j = 0; j < kw; j++) {
            const int64_t y = top + i, x = left + j;
            if (y >= 0 && x >= 0 && y < w->from.height && x < w->from.width) {
                const uint32_t at = ((uint32_t)y * w->from.width + (uint32_t)x) * w->from.channels + channel;
                const int32_t value = infer_number(w->in, w->from.codes, at, 0);
                most = value > most ? value : most;
                total += value;
                count++;
            }
        }
    return is_mean ? mean(total, p[16] ? (int64_t)kh * kw : count) : most;
}

static int pool(infer_walk *w, const uint8_t *p, int is_mean)
{
    const uint32_t kh = XBP_U16(p), kw = XBP_U16(p + 2), down = XBP_U16(p + 4), right = XBP_U16(p + 6);
    const uint32_t above = XBP_U16(p + 8), left = XBP_U16(p + 10), below = XBP_U16(p + 12), beside = XBP_U16(p + 14);
    const uint32_t height = w->x.height + above + below, width = w->x.width + left + beside;
    uint32_t row, col, k;
    int status;

    if (is_mean && (p[17] || p[18] || p[19]))
        return INFER_E_RESERVED;
    if (kh < 1 || kw < 1 || down < 1 || right < 1 || above >= kh || below >= kh || left >= kw || beside >= kw || height < kh
        || width < kw || (is_mean && (w->x.codes || p[16] > 1)))
        return INFER_E_RANGE;
    status = make(w, (height - kh) / down + 1, (width - kw) / right + 1, w->x.channels, w->x.codes, 0);
    if (status != INFER_OK || !w->work)
        return status;
    for (row = 0; row < w->x.height; row++)
        for (col = 0; col < w->x.width; col++)
            for (k = 0; k < w->x.channels; k++)
                put_number(w->out, w->x.codes, (row * w->x.width + col) * w->x.channels + k,
                           pooled(w, p, row, col, k, is_mean));
    return INFER_OK;
}

static int pad(infer_walk *w, const uint8_t *p)
{
    const uint32_t above = XBP_U16(p), left = XBP_U16(p + 2), below = XBP_U16(p + 4), beside = XBP_U16(p + 6);
    const uint32_t unit = w->x.codes ? 1 : 4;
    uint32_t row, line;
    int status;

    if (p[9] || p[10] || p[11])
        return INFER_E_RESERVED;
    if (!w->x.codes && p[8])
        return INFER_E_RANGE;
    status = make(w, (int64_t)w->x.height + above + below, (int64_t)w->x.width + left + beside, w->x.channels, w->x.codes, 0);
    if (status != INFER_OK || !w->work)
        return status;
    memset(w->out, p[8], infer_numbers(&w->x) * unit);
    line = w->from.width * w->x.channels * unit;
    for (row = 0; row < w->from.height; row++)
        memcpy(w->out + ((row + above) * w->x.width + left) * w->x.channels * unit, w->in + row * line, line);
    return INFER_OK;
}

static int scale(infer_walk *w, const uint8_t *p)
{
    const int codes = w->x.codes;
    uint32_t k;
    int status;

    if (p[6] || p[7])
        return INFER_E_RESERVED;
    if (p[4] > MOST_SHIFT || (!codes && p[5]))
        return INFER_E_RANGE;
    status = same(w, 0, !codes);
    for (k = 0; k < infer_numbers(&w->x) && status == INFER_OK && w->work; k++)
        put_number(w->out, 0, k, scaled(infer_number(w->in, codes, k, p[5]), infer_s32(p), p[4]));
    return status;
}

/* ADD and CONCAT: both as values with the fraction of the output. */
static int join(infer_walk *w, const uint8_t *p, const infer_kept *other, int adds)
{
    const uint32_t channels = w->x.channels, more = other->shape.channels;
    const uint8_t *const waits = w->work + other->at;
    const int codes = w->x.codes;
    uint32_t k, n;
    int status;

    if (p[8] > MOST_SHIFT || p[9] > MOST_SHIFT || (!codes && p[10]) || (!other->shape.codes && p[11])
        || w->x.height != other->shape.height || w->x.width != other->shape.width || (adds && channels != more))
        return INFER_E_RANGE;
    status = make(w, w->x.height, w->x.width, (int64_t)channels + (adds ? 0 : more), 0, adds && !codes);
    if (status != INFER_OK || !w->work)
        return status;
    n = infer_numbers(&w->from);
    for (k = 0; k < n; k++) {
        const int32_t y = scaled(infer_number(w->in, codes, k, p[10]), infer_s32(p), p[8]);
        if (adds)
            put_number(w->out, 0, k, limited((int64_t)y + scaled(infer_number(waits, other->shape.codes, k, p[11]), infer_s32(p + 4), p[9])));
        else
            put_number(w->out, 0, k / channels * (channels + more) + k % channels, y);
    }
    n = adds ? 0 : infer_numbers(&other->shape);
    for (k = 0; k < n; k++)
        put_number(w->out, 0, k / more * (channels + more) + channels + k % more,
                   scaled(infer_number(waits, other->shape.codes, k, p[11]), infer_s32(p + 4), p[9]));
    return INFER_OK;
}

static int recall(infer_walk *w, const infer_kept *other)
{
    const infer_shape s = other->shape;
    const int status = make(w, s.height, s.width, s.channels, s.codes, 0);

    if (status == INFER_OK && w->work)
        memcpy(w->out, w->work + other->at, infer_bytes(&s));
    return status;
}

static int shuffle(infer_walk *w, const uint8_t *p)
{
    const uint32_t groups = XBP_U16(p), channels = w->x.channels;
    uint32_t k, c;
    int status;

    if (p[2] || p[3])
        return INFER_E_RESERVED;
    if (groups < 1 || channels % groups)
        return INFER_E_RANGE;
    status = same(w, w->x.codes, 0);
    for (k = 0; k < infer_numbers(&w->x) && status == INFER_OK && w->work; k++) {
        c = k % channels; /* of the output: channel i of group g comes to i * groups + g */
        c = c % groups * (channels / groups) + c / groups;
        put_number(w->out, w->x.codes, k, infer_number(w->in, w->x.codes, k / channels * channels + c, 0));
    }
    return status;
}

static int flatten(infer_walk *w)
{
    return make(w, 1, 1, infer_numbers(&w->x), w->x.codes, 1);
}

int infer_step(infer_walk *w, unsigned kind, const uint8_t *p, const infer_kept *other)
{
    switch (kind) {
    case CONVOLVE: return convolve(w, p);
    case RECUR: return recur(w, p);
    case AFFINE: return affine(w, p);
    case CLIP: return clip(w, p);
    case QUANTIZE: return quantize(w, p);
    case MAX_POOL: return pool(w, p, 0);
    case MEAN_POOL: return pool(w, p, 1);
    case PAD: return pad(w, p);
    case SCALE: return scale(w, p);
    case ADD: return join(w, p, other, 1);
    case CONCAT: return join(w, p, other, 0);
    case RECALL: return recall(w, other);
    case SHUFFLE: return shuffle(w, p);
    default: return flatten(w);
    }
}

