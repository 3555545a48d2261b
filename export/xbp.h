/* xbp.h: streaming reader of XBP 1.x crossbar program files (SPEC.md). C99.
 *
 * Promises: no memory allocation, no recursion, no pointer casts; any chunk size; the sink sees a record only after its
 * checksum and all its checks; the first error stays. RAM: sizeof(xbp_reader), about 2 * XBP_READER_PAYLOAD + 150 bytes.
 *
 * A file acts while it streams, before its END is seen. When the source can be read twice, run pass 1 without a sink and
 * pass 2 live. A good checksum is no authority: the sink checks voltages, pulse counts and times against its own limits.
 */
#ifndef XBP_H
#define XBP_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "xbp_table.h"

#if UINT_MAX < 0xFFFFFFFF
#error "this reader counts in int and unsigned int: it needs them with 32 bits at least"
#endif

/* Sets the size of xbp_reader: define it for the whole build (-DXBP_READER_PAYLOAD=512u), never in one source alone. */
#ifndef XBP_READER_PAYLOAD
#define XBP_READER_PAYLOAD 1024u /* largest decoded record that this build takes: a multiple of 4 in 64..4096 */
#endif
#if XBP_READER_PAYLOAD < 64 || XBP_READER_PAYLOAD > 4096 || XBP_READER_PAYLOAD % 4
#error "XBP_READER_PAYLOAD: a multiple of 4 in 64..4096"
#endif

typedef struct {
    uint16_t type;   /* XBP_CHIP .. XBP_END, XBP_META, XBP_DIR; unknown ancillary records are not reported */
    uint16_t tile;   /* number of the tile: TILE, MASK, GTAR, OPS */
    uint16_t row;    /* first row inside the tile: MASK, GTAR, OPS */
    uint16_t n_row;  /* rows in this record: MASK, GTAR, OPS */
    uint16_t length; /* bytes of payload, decoded */
} xbp_rec;

/* Called once per record; anything but 0 stops the reader with XBP_E_SINK. */
typedef int (*xbp_sink)(void *user, const xbp_rec *rec, const uint8_t *payload);

typedef struct {
    xbp_sink sink;
    void *user;
    uint32_t chip_id, file_length, n_records, position, index;
    uint32_t seed;                  /* CRC-32 of the file header */
    uint32_t wanted_id, program_id; /* as CHIP says; as the maps give so far */
    uint32_t n_keep, kept;          /* of the present tile: declared, counted */
    uint32_t known, reads;          /* recipe ids seen; those that are a READ */
    uint32_t fill, need, next_row;
    uint16_t max_payload, macros, rows, cols, tile, n_row, n_col, passes;
    uint8_t code_bits, level, recipe, stage, step;
    int8_t error;
    uint8_t in[XBP_RECORD_SIZE + XBP_READER_PAYLOAD + 4u];
    uint8_t out[XBP_READER_PAYLOAD];
} xbp_reader;

/* Starts a file for the chip `chip_id`. sink may be NULL: checks only. */
void xbp_init(xbp_reader *r, uint32_t chip_id, xbp_sink sink, void *user);

/* Takes the next n bytes. XBP_OK, or the error that all later calls repeat. */
xbp_status xbp_feed(xbp_reader *r, const uint8_t *data, size_t n);

/* After the last byte: XBP_DONE for a whole and good file, else the error. */
xbp_status xbp_finish(const xbp_reader *r);

/* CRC-32 as of zlib; crc is the value so far, 0 at the start. */
uint32_t xbp_crc32(uint32_t crc, const uint8_t *data, size_t n);

/* Little-endian integers at the uint8_t pointer p, which is evaluated several times. */
#define XBP_U16(p) ((uint16_t)((p)[0] | (unsigned)(p)[1] << 8))
#define XBP_U32(p) ((uint32_t)(p)[0] | (uint32_t)(p)[1] << 8 | (uint32_t)(p)[2] << 16 | (uint32_t)(p)[3] << 24)

#endif
