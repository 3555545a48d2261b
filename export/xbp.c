/* xbp.c: streaming reader of XBP 2.x crossbar program files. The checks (H2, R5, ...) are those of SPEC.md. */
#include "xbp.h"

#include <string.h>

enum { IN_HEADER, IN_HEAD, IN_BODY, DELIVERS, AFTER_END };     /* `in` is being filled with, or holds a checked record */
enum { STAGE_MASK, STAGE_GTAR, STAGE_OPS, STAGE_NEXT };        /* in the order of the types: how far the present tile has come */

#if defined(__GNUC__)
#define APART __attribute__((noinline)) /* -Os would inline these, and pay in long jumps: 10 % more code */
#else
#define APART
#endif

/* Integers of the buffer, all at multiples of their size: one load where the machine has the byte order of the file. */
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint16_t load16(const void *p)
{
    uint16_t value;

    memcpy(&value, __builtin_assume_aligned(p, 2), sizeof value);
    return value;
}
static inline uint32_t load32(const void *p)
{
    uint32_t value;

    memcpy(&value, __builtin_assume_aligned(p, 4), sizeof value);
    return value;
}
#define LOAD16 load16
#define LOAD32 load32
#else
#define LOAD16 XBP_U16
#define LOAD32 XBP_U32
#endif

typedef int8_t error_code; /* an xbp_status in one byte: smaller code */

#ifndef XBP_OWN_CRC32
#ifdef __OPTIMIZE_SIZE__
uint32_t xbp_crc32(uint32_t crc, const uint8_t *data, size_t n)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C
    };

    for (crc = ~crc; n; n--) {
        crc ^= *data++;
        crc = crc >> 4 ^ nibble[crc & 15u];
        crc = crc >> 4 ^ nibble[crc & 15u];
    }
    return ~crc;
}
#else
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
#endif
#endif

/* The finaliser of MurmurHash3: without it, cells in the corners of a rectangle would cancel out of a state. */
static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

void xbp_init(xbp_reader *r, uint32_t chip_id, xbp_sink sink, void *user)
{
    memset(r, 0, sizeof *r);
    r->chip_id = chip_id;
    r->sink = sink;
    r->user = user;
    r->need = XBP_HEADER_SIZE;
    r->stage = STAGE_NEXT;
}

static error_code header(xbp_reader *r)
{
    const uint8_t *const h = r->in.byte;

    if (LOAD32(h) != XBP_MAGIC_LOW || LOAD32(h + 4) != XBP_MAGIC_HIGH)
        return XBP_E_MAGIC; /* H2 */
    if (h[XBP_HEADER_MAJOR] != XBP_MAJOR)
        return XBP_E_VERSION; /* H3 */
    r->crc = xbp_crc32(0, h, XBP_HEADER_CRC);
    if (r->crc != LOAD32(h + XBP_HEADER_CRC))
        return XBP_E_CRC; /* H4 */
    r->damaged = 0;
    r->max_payload = LOAD16(h + XBP_HEADER_MAX_PAYLOAD);
    r->file_length = LOAD32(h + XBP_HEADER_FILE_LENGTH);
    r->n_records = LOAD32(h + XBP_HEADER_N_RECORDS);
    if (r->max_payload < XBP_MIN_PAYLOAD || r->max_payload > XBP_MAX_PAYLOAD || (r->max_payload & 3u)
        || r->file_length > XBP_MAX_FILE)
        return XBP_E_HEADER; /* H5 */
    if (r->max_payload > XBP_READER_PAYLOAD)
        return XBP_E_LIMIT; /* H6 */
    return LOAD32(h + XBP_HEADER_CHIP_ID) == r->chip_id ? XBP_OK : XBP_E_CHIP; /* H7 */
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

APART static error_code chip(xbp_reader *r, const uint8_t *p)
{
    const uint32_t reserved = LOAD32(p + XBP_CHIP_BEFORE) >> 8, base = LOAD32(p + XBP_CHIP_BASE_STATE);
    const unsigned before = p[XBP_CHIP_BEFORE];

    r->macros = LOAD16(p + XBP_CHIP_MACROS);
    r->rows = LOAD16(p + XBP_CHIP_ROWS);
    r->cols = LOAD16(p + XBP_CHIP_COLS);
    r->maps = p[XBP_CHIP_MAPS];
    r->new_state = LOAD32(p + XBP_CHIP_NEW_STATE);
    r->turning = r->maps == XBP_HAS_PULSES && before != XBP_BEFORE_UNFORMED;
    r->state = r->maps & XBP_HAS_MASK ? mix(r->chip_id) : base;
    if (!r->macros || !r->rows || !r->cols || p[XBP_CHIP_ORIENTATION] > 1 || before > XBP_BEFORE_MEASURED
        || r->maps > 7u || !(XBP_MAPS_ALLOWED >> (8u * before + r->maps) & 1u))
        return XBP_E_RANGE; /* C1 */
    if (reserved)
        return XBP_E_RESERVED; /* C2 */
    if ((base && before < XBP_BEFORE_PROGRAMMED)
        || (LOAD32(p + XBP_CHIP_READBACK_ID) && before != XBP_BEFORE_MEASURED)
        || (r->maps < XBP_HAS_PULSES && base != r->new_state))
        return XBP_E_RANGE; /* C3 */
    return XBP_OK;
}

APART static error_code recipe(xbp_reader *r, const uint8_t *p)
{
    const unsigned id = p[XBP_RECIPE_ID], kind = p[XBP_RECIPE_KIND], verify = p[XBP_RECIPE_VERIFY_ID];
    const unsigned blind = verify == XBP_BLIND;
    const uint8_t *ramp;

    if (r->n_row)
        return XBP_E_ORDER; /* P1 */
    if (id >= XBP_N_RECIPES || kind - 1u > 3u || p[XBP_RECIPE_DRIVE] > XBP_DRIVE_COLUMN
        || !LOAD16(p + XBP_RECIPE_MAX_PULSES) || !LOAD32(p + XBP_RECIPE_WIDTH_NS))
        return XBP_E_RANGE; /* P2 */
    for (ramp = p + XBP_RECIPE_ROW_MV; ramp < p + XBP_RECIPE_WIDTH_NS; ramp += 6)
        if ((LOAD16(ramp + 2) == 0) != (LOAD16(ramp) == LOAD16(ramp + 4)))
            return XBP_E_RANGE; /* P2 */
    if (p[XBP_RECIPE_FLOATING] > 7u || p[XBP_RECIPE_READ_FIRST] > 1u || p[XBP_RECIPE_GOOD_READS + 1])
        return XBP_E_RESERVED; /* P3 */
    if ((p[XBP_RECIPE_GOOD_READS] == 0) != blind
        || (p[XBP_RECIPE_DRIVE] && LOAD32(p + XBP_RECIPE_COMPLIANCE_NA) - 1u >= LOAD32(p + XBP_RECIPE_BUDGET_NA))
        || r->known >> id & 1u || (kind - 2u < 2u && r->maps == XBP_HAS_PULSES && !r->turning)
        || (!blind && (kind == XBP_KIND_READ || verify >= XBP_N_RECIPES || !(r->reads >> verify & 1u))))
        return XBP_E_RECIPE; /* P4 */
    r->known |= UINT32_C(1) << id;
    if (kind == XBP_KIND_READ)
        r->reads |= UINT32_C(1) << id;
    return XBP_OK;
}

/* Enters a stage of the present tile. What CHIP names before it must be whole; what is past does not come back. */
static error_code advance(xbp_reader *r, unsigned stage)
{
    while (r->stage < stage) {
        if (r->stage < STAGE_OPS && (unsigned)r->maps >> r->stage & 1u && r->next_row != r->n_row)
            return XBP_E_ORDER;
        r->stage++;
        r->next_row = 0;
    }
    return stage < r->stage || !((r->maps | 1u << STAGE_NEXT) >> stage & 1u) ? XBP_E_ORDER : XBP_OK; /* M1 */
}

APART static error_code tile(xbp_reader *r, const uint8_t *p)
{
    const unsigned first = !r->n_row, bits = p[XBP_TILE_CODE_BITS];
    const uint32_t row0 = LOAD16(p + XBP_TILE_ROW0), col0 = LOAD16(p + XBP_TILE_COL0);
    const error_code status = advance(r, STAGE_NEXT);

    if (status != XBP_OK)
        return status; /* T1 */
    if (!first && r->rec.tile <= r->tile)
        return XBP_E_ORDER; /* T2 */
    r->n_row = LOAD16(p + XBP_TILE_N_ROW);
    r->n_col = LOAD16(p + XBP_TILE_N_COL);
    r->level = p[XBP_TILE_LEVEL];
    r->code_bits = (uint8_t)bits;
    if (!r->n_row || !r->n_col || row0 + r->n_row > r->rows || col0 + r->n_col > r->cols
        || LOAD16(p + XBP_TILE_MACRO) >= r->macros || bits > 16u || (bits & 7u)
        || !bits != !(r->maps & XBP_HAS_TARGETS)
        || r->level > XBP_LEVEL_CELL || (r->level && ((r->n_col | col0) & 1u))
        || !LOAD32(p + XBP_TILE_G_LSB) != !bits || (!bits && LOAD32(p + XBP_TILE_G_OFF_NS))
        || LOAD32(p + XBP_TILE_ON_MIN_NS) <= LOAD32(p + XBP_TILE_OFF_MAX_NS))
        return XBP_E_RANGE; /* T3 */
    if (r->maps & XBP_HAS_MASK)
        r->state ^= mix(xbp_crc32(xbp_crc32(0, p, XBP_TILE_CODE_BITS), p + XBP_TILE_ON_MIN_NS, 8));
    r->cell_seed = mix(LOAD16(p + XBP_TILE_MACRO) + UINT32_C(1));
    r->corner = row0 << 16 | col0;
    r->tile = r->rec.tile;
    r->next_row = 0;
    r->passes = 0;
    r->stage = STAGE_MASK;
    return XBP_OK;
}

/* Turns a cell of the present tile over in the state. */
static void turn(xbp_reader *r, uint32_t row, uint32_t col)
{
    r->state ^= mix(r->cell_seed ^ (r->corner + (row << 16) + col));
}

#define NO_CELL UINT32_C(0xFFFFFFFF)

/* The next set cell of a SPARSE record: its row is cursor.row, its column is returned; NO_CELL where the bytes are wrong. */
static uint32_t next_cell(xbp_reader *r)
{
    const uint8_t *const h = r->in.byte;
    xbp_cursor *const at = &r->cursor;
    uint32_t gap = 0;
    unsigned shift = 0, byte;

    do {
        if (at->at == r->stored || shift == 7u * XBP_GAP_BYTES)
            return NO_CELL;
        byte = h[XBP_RECORD_SIZE + at->at++];
        gap |= (uint32_t)(byte & 127u) << shift;
        shift += 7u;
    } while (byte & 128u);
    for (gap += at->col; gap >= r->n_col; gap -= r->n_col)
        if (++at->row >= LOAD16(h + XBP_RECORD_N_ROW))
            return NO_CELL;
    at->col = gap + 1u;
    return gap;
}

/* Which pass of which recipe the pulses of an OPS record belong to. */
static error_code pulses(xbp_reader *r)
{
    if (r->rec.recipe >= XBP_N_RECIPES || !((unsigned)(r->known & ~r->reads) >> r->rec.recipe & 1u))
        return XBP_E_RECIPE; /* O1 */
    if (r->rec.pass == r->passes) {
        r->passes++;
        r->next_row = 0;
        r->recipe = r->rec.recipe;
    }
    if (r->rec.pass + 1u != r->passes || r->rec.row < r->next_row)
        return XBP_E_ORDER; /* O2 */
    r->pulsed = 1;
    return r->rec.recipe == r->recipe ? XBP_OK : XBP_E_RECIPE; /* O3 */
}

/* Rows of MASK or OPS: bits behind the last column, pairs, and the cells that turn over in the state. */
static error_code cells(xbp_reader *r, const uint8_t *p, unsigned is_mask, unsigned row_bytes)
{
    const unsigned used = r->n_col & 7u, pairs = is_mask && r->level == XBP_LEVEL_PAIR;
    uint32_t row, col, i;

    for (row = r->rec.row; row < (uint32_t)r->rec.row + r->rec.n_row; row++, p += row_bytes) {
        if (used && p[row_bytes - 1u] >> used)
            return XBP_E_RESERVED; /* W6 */
        for (i = 0; (is_mask || r->turning) && i < row_bytes; i++) {
            unsigned b = p[i];
            if (pairs && (b & b >> 1 & 0x55u))
                return XBP_E_PAIR; /* K1 */
            for (col = 8u * i; b; b >>= 1, col++)
                if (b & 1u)
                    turn(r, row, col);
        }
    }
    return XBP_OK;
}

/* Rows of the present tile: MASK, GTAR and OPS by `stage`. */
static error_code rows(xbp_reader *r, const uint8_t *p, unsigned stage)
{
    const unsigned stored = r->stored, encoding = r->encoding;
    const uint32_t row_bytes = stage == STAGE_GTAR ? (uint32_t)r->n_col * (r->code_bits / 8u) : ((uint32_t)r->n_col + 7u) / 8u;
    const uint32_t length = r->rec.n_row * row_bytes; /* may wrap where row_bytes is too large, too */
    error_code status = XBP_E_ORDER;

    if (r->n_row && r->rec.tile == r->tile)
        status = advance(r, stage);
    if (status != XBP_OK)
        return status; /* W1, M1 */
    if (r->rec.n_row == 0 || (uint32_t)r->rec.row + r->rec.n_row > r->n_row)
        return XBP_E_RANGE; /* W2 */
    if (row_bytes > r->max_payload || (encoding == XBP_ENCODING_SPARSE ? !stored
        : length > r->max_payload || (encoding ? stored >= length : stored != length)))
        return XBP_E_LENGTH; /* W3 */
    r->length = (uint16_t)length;
    r->cursor.at = r->cursor.row = 0;
    r->cursor.col = 0;
    if (encoding == XBP_ENCODING_SPARSE) {
        while (r->cursor.at < stored) {
            const uint32_t col = next_cell(r);
            if (col == NO_CELL)
                return XBP_E_PACKED; /* W4 */
            if (r->turning)
                turn(r, (uint32_t)r->rec.row + r->cursor.row, col);
        }
        r->cursor.at = r->cursor.row = 0;
        r->cursor.col = 0;
    } else if (encoding) {
        if (!unpack(p, stored, r->out.byte, (unsigned)length))
            return XBP_E_PACKED; /* W4 */
        p = r->out.byte;
    }
    if (stage == STAGE_OPS)
        status = pulses(r);
    else if (r->rec.row != r->next_row)
        status = XBP_E_ORDER; /* W5 */
    r->next_row = (uint32_t)r->rec.row + r->rec.n_row;
    if (status != XBP_OK || stage == STAGE_GTAR || encoding == XBP_ENCODING_SPARSE)
        return status;
    return cells(r, p, stage == STAGE_MASK, (unsigned)row_bytes);
}

static error_code end(xbp_reader *r)
{
    if (r->offset + r->need != r->file_length)
        return XBP_E_LENGTH; /* E1 */
    if (advance(r, STAGE_NEXT) != XBP_OK || (r->maps & XBP_HAS_PULSES && !r->pulsed))
        return XBP_E_ORDER; /* E2 */
    return r->state == r->new_state ? XBP_OK : XBP_E_TOTAL; /* E3 */
}

/* The head of a record bounds what follows before anything is trusted. */
static error_code head(xbp_reader *r)
{
    r->encoding = r->in.byte[XBP_RECORD_ENCODING];
    r->stored = LOAD16(r->in.byte + XBP_RECORD_STORED);
    if (r->stored > r->max_payload)
        return XBP_E_LENGTH; /* R2 */
    r->need = (uint16_t)(XBP_RECORD_SIZE + ((r->stored + 3u) & ~3u) + 4u);
    return r->offset + r->need > r->file_length ? XBP_E_LENGTH : XBP_OK; /* R3 */
}

/* Checksum, number and type of a record. */
static error_code frame(xbp_reader *r)
{
    const uint8_t *const h = r->in.byte;
    const unsigned body = r->need - 4u, type = h[XBP_RECORD_TYPE];
    const uint32_t crc = xbp_crc32(r->crc, h, body);
    unsigned i;

    if (crc != LOAD32(h + body))
        return XBP_E_CRC; /* R5 */
    r->crc = crc;
    r->damaged = 0;
    if (LOAD32(h + XBP_RECORD_NUMBER) != r->number)
        return XBP_E_SEQUENCE; /* R6 */
    for (i = r->stored; i & 3u; i++)
        if (h[XBP_RECORD_SIZE + i])
            return XBP_E_RESERVED; /* R7 */
    if (type - 1u > XBP_END - 1u && !(type & XBP_ANCILLARY))
        return XBP_E_TYPE; /* R8 */
    if ((type == XBP_END) != (r->number + 1u == r->n_records))
        return XBP_E_COUNT; /* R9 */
    return (type == XBP_CHIP) == (r->number == 0) ? XBP_OK : XBP_E_ORDER; /* R10 */
}

APART static void read_head(xbp_reader *r)
{
    const uint8_t *const h = r->in.byte;

    r->rec.type = h[XBP_RECORD_TYPE];
    r->rec.recipe = h[XBP_RECORD_RECIPE];
    r->rec.pass = h[XBP_RECORD_PASS];
    r->rec.tile = LOAD16(h + XBP_RECORD_TILE);
    r->rec.row = LOAD16(h + XBP_RECORD_ROW);
    r->rec.n_row = LOAD16(h + XBP_RECORD_N_ROW);
    r->rec.length = r->length;
}

APART static error_code record(xbp_reader *r)
{
    static const uint8_t lengths[XBP_END + 1] = { 0, XBP_CHIP_SIZE, XBP_RECIPE_SIZE, XBP_TILE_SIZE, 0, 0, 0, 0 };
    const uint8_t *const h = r->in.byte, *const p = h + XBP_RECORD_SIZE;
    const error_code status = frame(r);
    unsigned stage;

    if (status != XBP_OK)
        return status;
    r->length = r->stored;
    read_head(r);
    stage = (unsigned)r->rec.type - XBP_MASK;
    if (stage <= STAGE_OPS) {
        if (r->encoding > XBP_ENCODING_PACKBITS + (stage == STAGE_OPS))
            return XBP_E_ENCODING; /* R11 */
        return stage != STAGE_OPS && (r->rec.recipe | r->rec.pass) ? XBP_E_RESERVED : rows(r, p, stage); /* R13 */
    }
    if (r->rec.type > XBP_END && r->rec.type != XBP_META && r->rec.type != XBP_DIR) {
        r->skipped = 1;
        return XBP_OK;
    }
    if (r->encoding)
        return XBP_E_ENCODING; /* R11 */
    if (r->rec.type <= XBP_END && lengths[r->rec.type] != r->rec.length)
        return XBP_E_LENGTH; /* R12 */
    if (r->rec.row | LOAD32(h + XBP_RECORD_N_ROW) || (r->rec.tile && r->rec.type != XBP_TILE))
        return XBP_E_RESERVED; /* R13 */
    if (r->rec.type == XBP_CHIP)
        return chip(r, p);
    if (r->rec.type == XBP_RECIPE)
        return recipe(r, p);
    if (r->rec.type == XBP_TILE)
        return tile(r, p);
    if (r->rec.type == XBP_END)
        return end(r);
    if (r->rec.type == XBP_META ? r->rec.length < 3 || !p[0] || r->rec.length != 2u + p[0] + p[1] : !r->rec.length || r->rec.length & 7u)
        return XBP_E_LENGTH; /* A1, A2 */
    return XBP_OK;
}

/* The next piece of a SPARSE record as a bitmap in `out`: from the row of its next cell, as many rows as fit. */
static void piece(xbp_reader *r)
{
    const unsigned row_bytes = (r->n_col + 7u) / 8u;
    unsigned first = 0;

    memset(r->out.byte, 0, r->max_payload);
    for (r->rec.length = 0; r->cursor.at < r->stored;) {
        const xbp_cursor before = r->cursor;
        const uint32_t col = next_cell(r);
        uint32_t at;
        uint8_t *cell;

        if (!r->rec.length)
            first = r->cursor.row;
        at = (r->cursor.row - first) * (uint32_t)row_bytes;
        if (at + row_bytes > r->max_payload) {
            r->cursor = before;
            break;
        }
        r->rec.length = (uint16_t)(at + row_bytes);
        r->rec.n_row = (uint16_t)(r->cursor.row - first + 1u);
        cell = &r->out.byte[at + (col >> 3)];
        *cell = (uint8_t)(*cell | 1u << (col & 7u));
    }
    r->rec.row = (uint16_t)(r->rec.row + first);
}

/* Hands the checked record over. XBP_LATER: not yet. */
APART static error_code deliver(xbp_reader *r)
{
    int answer;

    if (!r->sink || r->skipped)
        return XBP_OK;
    do {
        const xbp_cursor before = r->cursor;
    
        read_head(r);
        if (r->encoding == XBP_ENCODING_SPARSE)
            piece(r);
        answer = r->sink(r->user, &r->rec, r->encoding ? r->out.byte : r->in.byte + XBP_RECORD_SIZE);
        if (answer == XBP_LATER)
            r->cursor = before;
    } while (!answer && r->encoding == XBP_ENCODING_SPARSE && r->cursor.at < r->stored);
    return answer == XBP_LATER ? XBP_LATER : answer ? XBP_E_SINK : XBP_OK; /* S1 */
}

/* Waits for the next unit behind those that are done. */
static void next_unit(xbp_reader *r, unsigned step)
{
    r->offset += r->fill;
    r->fill = 0;
    r->need = step == IN_HEADER ? XBP_HEADER_SIZE : XBP_RECORD_SIZE;
    r->step = (uint8_t)step;
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
        if (status == XBP_OK)
            next_unit(r, IN_HEAD);
        return status;
    }
    if (r->step == IN_BODY) {
        r->skipped = 0;
        status = record(r);
        if (status != XBP_OK)
            return status;
        r->step = DELIVERS;
    }
    status = deliver(r);
    if (status == XBP_OK) {
        const unsigned ended = r->in.byte[XBP_RECORD_TYPE] == XBP_END;
        next_unit(r, ended ? AFTER_END : IN_HEAD);
        r->number += !ended;
    }
    return status;
}

xbp_status xbp_feed(xbp_reader *r, const uint8_t *data, size_t n)
{
    r->taken = 0;
    while (!r->error && (n || r->step == DELIVERS)) {
        error_code status = XBP_E_EXTRA; /* X1 */
        if (r->step != AFTER_END) {
            size_t part = (size_t)(r->need - r->fill);
            if (part > n)
                part = n;
            memcpy(r->in.byte + r->fill, data, part);
            data += part;
            n -= part;
            r->taken += part;
            r->fill = (uint16_t)(r->fill + part);
            if (r->fill < r->need)
                break;
            r->damaged = r->step != DELIVERS;
            status = unit(r);
        }
        if (status == XBP_LATER)
            return XBP_LATER;
        r->error = status;
    }
    return (xbp_status)r->error;
}

xbp_status xbp_again(xbp_reader *r)
{
    if (r->error && !r->damaged)
        return (xbp_status)r->error;
    r->error = XBP_OK;
    if (r->step <= IN_BODY) {
        r->fill = 0;
        next_unit(r, r->step == IN_HEADER ? IN_HEADER : IN_HEAD);
    }
    return XBP_OK;
}

xbp_status xbp_finish(const xbp_reader *r)
{
    if (r->error)
        return (xbp_status)r->error;
    return r->step == AFTER_END ? XBP_DONE : r->step == DELIVERS ? XBP_LATER : XBP_E_TRUNCATED;
}
