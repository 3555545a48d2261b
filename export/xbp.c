/* xbp.c: streaming reader of XBP 1.x crossbar program files. The checks (H2, R5, ...) are those of SPEC.md. */
#include "xbp.h"

#include <string.h>

enum { IN_HEADER, IN_HEAD, IN_BODY, AFTER_END };           /* what `in` is being filled with */
enum { STAGE_MASK, STAGE_GTAR, STAGE_OPS, NO_TILE };       /* how far the present tile has come */

#if defined(__GNUC__)
#define APART __attribute__((noinline)) /* -Os would inline these, and pay in long jumps: 10 % more code */
#else
#define APART
#endif

typedef int8_t error_code; /* an xbp_status in one byte: smaller code */

/* The known types by index. Those before MASK have one payload length. */
enum { CHIP, RECIPE, TILE, END, MASK, GTAR, OPS, META, DIR, UNKNOWN };
static const uint16_t types[UNKNOWN] = {
    XBP_CHIP, XBP_RECIPE, XBP_TILE, XBP_END, XBP_MASK, XBP_GTAR, XBP_OPS, XBP_META, XBP_DIR
};
static const uint8_t lengths[MASK] = { XBP_CHIP_SIZE, XBP_RECIPE_SIZE, XBP_TILE_SIZE, 0 };

uint32_t xbp_crc32(uint32_t crc, const uint8_t *data, size_t n)
{
    /* The table of a byte is linear: low nibble and high nibble apart take 128 bytes instead of 1,024. */
    static const uint32_t low[16] = {
        0x00000000, 0x77073096, 0xEE0E612C, 0x990951BA, 0x076DC419, 0x706AF48F, 0xE963A535, 0x9E6495A3,
        0x0EDB8832, 0x79DCB8A4, 0xE0D5E91E, 0x97D2D988, 0x09B64C2B, 0x7EB17CBD, 0xE7B82D07, 0x90BF1D91
    };
    static const uint32_t high[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C
    };

    for (crc = ~crc; n; n--) {
        const uint32_t x = crc ^ *data++;
        crc = crc >> 8 ^ low[x & 15u] ^ high[x >> 4 & 15u];
    }
    return ~crc;
}

void xbp_init(xbp_reader *r, uint32_t chip_id, xbp_sink sink, void *user)
{
    memset(r, 0, sizeof *r);
    r->chip_id = chip_id;
    r->sink = sink;
    r->user = user;
    r->need = XBP_HEADER_SIZE;
    r->stage = NO_TILE;
}

static error_code header(xbp_reader *r)
{
    static const uint8_t magic[8] = XBP_MAGIC_BYTES;
    const uint8_t *h = r->in;

    if (memcmp(h, magic, sizeof magic) != 0)
        return XBP_E_MAGIC; /* H2 */
    if (h[XBP_HEADER_MAJOR] != XBP_MAJOR)
        return XBP_E_VERSION; /* H3 */
    r->seed = xbp_crc32(0, h, XBP_HEADER_CRC);
    if (r->seed != XBP_U32(h + XBP_HEADER_CRC))
        return XBP_E_CRC; /* H4 */
    r->max_payload = XBP_U16(h + XBP_HEADER_MAX_PAYLOAD);
    r->file_length = XBP_U32(h + XBP_HEADER_FILE_LENGTH);
    r->n_records = XBP_U32(h + XBP_HEADER_N_RECORDS);
    if (r->max_payload < XBP_MIN_PAYLOAD || r->max_payload > XBP_MAX_PAYLOAD || (r->max_payload & 3u)
        || r->file_length > XBP_MAX_FILE)
        return XBP_E_HEADER; /* H5 */
    if (r->max_payload > XBP_READER_PAYLOAD)
        return XBP_E_LIMIT; /* H6 */
    return XBP_U32(h + XBP_HEADER_CHIP_ID) == r->chip_id ? XBP_OK : XBP_E_CHIP; /* H7 */
}

/* PackBits: n bytes at s to exactly `want` bytes at d; 0 when they are not that. */
static int unpack(const uint8_t *s, unsigned n, uint8_t *d, unsigned want)
{
    while (n) {
        const unsigned token = *s++, repeat = token > 128u;
        const unsigned count = repeat ? 257u - token : token + 1u, used = repeat ? 1u : count;

        if (token == 128u || used >= n || count > want)
            return 0;
        if (repeat)
            memset(d, *s, count);
        else
            memcpy(d, s, count);
        s += used;
        n -= used + 1u;
        d += count;
        want -= count;
    }
    return want == 0;
}

static error_code chip(xbp_reader *r, const uint8_t *p)
{
    r->macros = XBP_U16(p + XBP_CHIP_MACROS);
    r->rows = XBP_U16(p + XBP_CHIP_ROWS);
    r->cols = XBP_U16(p + XBP_CHIP_COLS);
    r->wanted_id = XBP_U32(p + XBP_CHIP_PROGRAM_ID);
    if (!r->macros || !r->rows || !r->cols || p[XBP_CHIP_ORIENTATION] > 1 || p[XBP_CHIP_STATE] > XBP_STATE_PROGRAMMED
        || (XBP_U32(p + XBP_CHIP_BASE_ID) && p[XBP_CHIP_STATE] != XBP_STATE_PROGRAMMED))
        return XBP_E_RANGE; /* C1 */
    return XBP_U32(p + XBP_CHIP_SIZE - 4) ? XBP_E_RESERVED : XBP_OK; /* C2 */
}

static error_code recipe(xbp_reader *r, const uint8_t *p)
{
    const unsigned id = p[XBP_RECIPE_ID], kind = p[XBP_RECIPE_KIND], verify = p[XBP_RECIPE_VERIFY_ID];

    if (r->stage != NO_TILE)
        return XBP_E_ORDER; /* P1 */
    if (id >= XBP_N_RECIPES || kind - 1u > 3u || !XBP_U16(p + XBP_RECIPE_MAX_PULSES)
        || !XBP_U32(p + XBP_RECIPE_WIDTH_NS))
        return XBP_E_RANGE; /* P2 */
    if (p[XBP_RECIPE_VERIFY_ID + 1] || XBP_U32(p + XBP_RECIPE_FLOATING) > 7u)
        return XBP_E_RESERVED; /* P3 */
    if (r->known >> id & 1u
        || (verify != XBP_BLIND && (kind == XBP_KIND_READ || verify >= XBP_N_RECIPES || !(r->reads >> verify & 1u))))
        return XBP_E_RECIPE; /* P4 */
    r->known |= 1u << id;
    if (kind == XBP_KIND_READ)
        r->reads |= 1u << id;
    return XBP_OK;
}

/* Enters a stage of the present tile. Its rows so far must be complete; what is past does not come back. */
static error_code advance(xbp_reader *r, unsigned stage)
{
    if (stage > r->stage) {
        if ((r->next_row != r->n_row && (r->next_row || stage != STAGE_OPS || r->stage != STAGE_MASK))
            || (r->stage == STAGE_MASK && (stage == STAGE_GTAR) != (r->code_bits != 0)))
            return XBP_E_ORDER; /* M1 */
        if (stage == STAGE_OPS && r->kept != r->n_keep)
            return XBP_E_TOTAL; /* M2 */
        r->stage = (uint8_t)stage;
        r->next_row = 0;
    }
    return stage < r->stage ? XBP_E_ORDER : XBP_OK;
}

static error_code tile(xbp_reader *r, const xbp_rec *c, const uint8_t *p)
{
    uint32_t row0, col0;

    if (r->stage != NO_TILE) {
        const error_code status = advance(r, STAGE_OPS);
        if (status != XBP_OK)
            return status; /* T1 */
        if (c->tile <= r->tile)
            return XBP_E_ORDER; /* T2 */
    }
    r->n_row = XBP_U16(p + XBP_TILE_N_ROW);
    r->n_col = XBP_U16(p + XBP_TILE_N_COL);
    r->code_bits = p[XBP_TILE_CODE_BITS];
    r->level = p[XBP_TILE_LEVEL];
    r->n_keep = XBP_U32(p + XBP_TILE_N_KEEP);
    row0 = XBP_U16(p + XBP_TILE_ROW0);
    col0 = XBP_U16(p + XBP_TILE_COL0);
    if (!r->n_row || !r->n_col || row0 + r->n_row > r->rows || col0 + r->n_col > r->cols
        || XBP_U16(p + XBP_TILE_MACRO) >= r->macros || r->code_bits > 16u || (r->code_bits & 7u)
        || r->level > XBP_LEVEL_CELL || (r->level && ((r->n_col | col0) & 1u))
        || !XBP_U32(p + XBP_TILE_G_LSB) != !r->code_bits || (!r->code_bits && XBP_U32(p + XBP_TILE_G_OFF_NS))
        || XBP_U32(p + XBP_TILE_ON_MIN_NS) <= XBP_U32(p + XBP_TILE_OFF_MAX_NS))
        return XBP_E_RANGE; /* T3 */
    r->tile = c->tile;
    r->next_row = r->kept = 0;
    r->passes = 0;
    r->stage = STAGE_MASK;
    return XBP_OK;
}

/* Counts the cells that a mask keeps. */
static error_code count(xbp_reader *r, const uint8_t *p, unsigned n)
{
    while (n--) {
        unsigned b = *p++;
        if (r->level == XBP_LEVEL_PAIR && (b & b >> 1 & 0x55u))
            return XBP_E_PAIR; /* K1 */
        for (; b; b &= b - 1u)
            r->kept++;
    }
    return XBP_OK;
}

/* Which pass of which recipe the pulses of an OPS record belong to. */
static error_code pulses(xbp_reader *r, const xbp_rec *c, const uint8_t *p)
{
    const unsigned id = p[XBP_OPS_RECIPE], pass = p[XBP_OPS_PASS];

    if (XBP_U16(p + 2))
        return XBP_E_RESERVED; /* O1 */
    if (id >= XBP_N_RECIPES || !((r->known & ~r->reads) >> id & 1u))
        return XBP_E_RECIPE; /* O2 */
    if (pass == r->passes) {
        r->passes++;
        r->next_row = 0;
        r->recipe = (uint8_t)id;
    }
    if (pass + 1u != r->passes || c->row < r->next_row)
        return XBP_E_ORDER; /* O3 */
    return id == r->recipe ? XBP_OK : XBP_E_RECIPE; /* O4 */
}

/* Rows of the present tile: MASK, GTAR and OPS by `stage`. */
static error_code rows(xbp_reader *r, const xbp_rec *c, const uint8_t *p, unsigned stage)
{
    const unsigned used = r->n_col & 7u;
    unsigned row_bytes = (r->n_col + 7u) / 8u, prefix = 0, i;
    error_code status = XBP_E_ORDER;

    if (r->stage != NO_TILE && c->tile == r->tile)
        status = advance(r, stage);
    if (status != XBP_OK)
        return status; /* W1, M1, M2 */
    if (c->n_row == 0 || (uint32_t)c->row + c->n_row > r->n_row)
        return XBP_E_RANGE; /* W2 */
    if (stage == STAGE_GTAR)
        row_bytes = r->n_col * (r->code_bits / 8u);
    if (stage == STAGE_OPS)
        prefix = XBP_OPS_SIZE;
    if (row_bytes > c->length || prefix + c->n_row * row_bytes != c->length)
        return XBP_E_LENGTH; /* W3 */
    if (stage == STAGE_OPS)
        status = pulses(r, c, p);
    else if (c->row != r->next_row)
        status = XBP_E_ORDER; /* W4 */
    r->next_row = (uint32_t)c->row + c->n_row;
    if (stage != STAGE_OPS)
        r->program_id = xbp_crc32(r->program_id, p, c->length);
    if (stage == STAGE_GTAR || status != XBP_OK)
        return status;
    for (i = prefix + row_bytes; used && i <= c->length; i += row_bytes)
        if (p[i - 1u] >> used)
            return XBP_E_RESERVED; /* W5 */
    return stage == STAGE_OPS ? status : count(r, p, c->length);
}

static error_code end(xbp_reader *r)
{
    if (r->position != r->file_length)
        return XBP_E_LENGTH; /* E1 */
    if (r->stage != NO_TILE) {
        const error_code status = advance(r, STAGE_OPS);
        if (status != XBP_OK)
            return status; /* E2 */
    }
    return r->program_id == r->wanted_id ? XBP_OK : XBP_E_TOTAL; /* E3 */
}

/* The head of a record bounds what follows before anything is trusted. */
static error_code head(xbp_reader *r)
{
    const uint32_t length = XBP_U16(r->in + XBP_RECORD_LENGTH), stored = XBP_U16(r->in + XBP_RECORD_STORED);
    const uint32_t rest = ((stored + 3u) & ~3u) + 4u;

    r->need = XBP_RECORD_SIZE + rest;
    return length > r->max_payload || stored > r->max_payload || r->position + rest > r->file_length
        ? XBP_E_LENGTH : XBP_OK; /* R2, R3 */
}

/* Checksum, number and type of a record. */
static error_code frame(const xbp_reader *r, unsigned *kind)
{
    const uint8_t *const h = r->in;
    const unsigned body = r->need - 4u, type = XBP_U16(h + XBP_RECORD_TYPE);
    unsigned i, k = 0;

    if (xbp_crc32(r->seed, h, body) != XBP_U32(h + body))
        return XBP_E_CRC; /* R5 */
    if (XBP_U16(h + XBP_RECORD_SEQUENCE) != (r->index & 0xFFFFu))
        return XBP_E_SEQUENCE; /* R6 */
    if (h[XBP_RECORD_ENCODING + 1])
        return XBP_E_RESERVED; /* R7 */
    for (i = XBP_U16(h + XBP_RECORD_STORED); i & 3u; i++)
        if (h[XBP_RECORD_SIZE + i])
            return XBP_E_RESERVED; /* R7 */
    while (k < UNKNOWN && types[k] != type)
        k++;
    *kind = k;
    if (k == UNKNOWN && !(type & XBP_ANCILLARY))
        return XBP_E_TYPE; /* R8 */
    if ((k == END) != (r->index + 1u == r->n_records))
        return XBP_E_COUNT; /* R9 */
    return (k == CHIP) == (r->index == 0) ? XBP_OK : XBP_E_ORDER; /* R10 */
}

APART static error_code record(xbp_reader *r)
{
    const uint8_t *const h = r->in, *p = h + XBP_RECORD_SIZE;
    const unsigned stored = XBP_U16(h + XBP_RECORD_STORED), encoding = h[XBP_RECORD_ENCODING];
    unsigned kind, has_rows;
    xbp_rec c;
    error_code status = frame(r, &kind);

    if (status != XBP_OK || kind == UNKNOWN)
        return status;
    c.type = XBP_U16(h + XBP_RECORD_TYPE);
    c.tile = XBP_U16(h + XBP_RECORD_TILE);
    c.row = XBP_U16(h + XBP_RECORD_ROW);
    c.n_row = XBP_U16(h + XBP_RECORD_N_ROW);
    c.length = XBP_U16(h + XBP_RECORD_LENGTH);
    has_rows = kind - MASK <= OPS - MASK;
    if (encoding > has_rows)
        return XBP_E_ENCODING; /* R11 */
    if ((encoding ? stored >= c.length : stored != c.length) || (kind < MASK && lengths[kind] != stored))
        return XBP_E_LENGTH; /* R12 */
    if (!has_rows && (c.row || c.n_row || (c.tile && kind != TILE)))
        return XBP_E_RESERVED; /* R13 */
    if (encoding) {
        if (!unpack(p, stored, r->out, c.length))
            return XBP_E_PACKBITS; /* R14 */
        p = r->out;
    }
    if (has_rows)
        status = rows(r, &c, p, kind - MASK);
    else if (kind == CHIP)
        status = chip(r, p);
    else if (kind == RECIPE)
        status = recipe(r, p);
    else if (kind == TILE)
        status = tile(r, &c, p);
    else if (kind == END)
        status = end(r);
    else if (kind == META && (c.length < 3 || !p[0] || c.length != 2u + p[0] + p[1]))
        status = XBP_E_LENGTH; /* A1 */
    if (status == XBP_OK && r->sink && r->sink(r->user, &c, p) != 0)
        status = XBP_E_SINK;
    return status == XBP_OK && kind == END ? XBP_DONE : status;
}

/* The unit that `in` holds whole: file header, head of a record, or record. */
APART static error_code unit(xbp_reader *r)
{
    error_code status;

    if (r->step == IN_HEAD) {
        r->step = IN_BODY;
        return head(r);
    }
    if (r->step == IN_HEADER) {
        status = header(r);
    } else {
        status = record(r);
        r->index++;
    }
    r->step = status == XBP_DONE ? AFTER_END : IN_HEAD;
    r->fill = 0;
    r->need = XBP_RECORD_SIZE;
    return status;
}

xbp_status xbp_feed(xbp_reader *r, const uint8_t *data, size_t n)
{
    while (n && !r->error) {
        size_t part = r->need - r->fill;
        if (r->step == AFTER_END) {
            r->error = XBP_E_EXTRA;
            break;
        }
        if (part > n)
            part = n;
        memcpy(r->in + r->fill, data, part);
        data += part;
        n -= part;
        r->fill += (uint32_t)part;
        r->position += (uint32_t)part;
        if (r->fill == r->need) {
            const error_code status = unit(r);
            if (status < 0)
                r->error = status;
        }
    }
    return (xbp_status)r->error;
}

xbp_status xbp_finish(const xbp_reader *r)
{
    if (r->error)
        return (xbp_status)r->error;
    return r->step == AFTER_END ? XBP_DONE : XBP_E_TRUNCATED;
}
