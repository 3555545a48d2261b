/* xbp.h: streaming reader of XBP 2.x crossbar program files (SPEC.md). C99.
 *
 * Promises: no memory allocation, no recursion; any chunk size; the sink sees a record only after its checksum and all its
 * checks; payloads lie at addresses that are multiples of 4. RAM: sizeof(xbp_reader), about 2 * XBP_READER_PAYLOAD + 150.
 *
 * A file acts while it streams, before its END is seen. When the source can be read twice, run pass 1 without a sink and
 * pass 2 live. A good checksum is no authority: the sink checks voltages, pulse counts and times against its own limits.
 */
#ifndef XBP_H
#define XBP_H

#include <stddef.h>
#include <stdint.h>

#include "xbp_table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the size of xbp_reader: a plain number, the same in the whole build (-DXBP_READER_PAYLOAD=512). Sources that were
 * compiled with another one do not link: the number is part of the functions' names. */
#ifndef XBP_READER_PAYLOAD
#define XBP_READER_PAYLOAD 1024 /* largest decoded record that this build takes: a multiple of 4 in 64..4096 */
#endif
#if XBP_READER_PAYLOAD < 64 || XBP_READER_PAYLOAD > 4096 || XBP_READER_PAYLOAD % 4
#error "XBP_READER_PAYLOAD: a multiple of 4 in 64..4096"
#endif
#define XBP_GLUE(name, payload) name##payload
#define XBP_NAME(name, payload) XBP_GLUE(name, payload)
#define xbp_init XBP_NAME(xbp_init_, XBP_READER_PAYLOAD)
#define xbp_feed XBP_NAME(xbp_feed_, XBP_READER_PAYLOAD)
#define xbp_again XBP_NAME(xbp_again_, XBP_READER_PAYLOAD)
#define xbp_finish XBP_NAME(xbp_finish_, XBP_READER_PAYLOAD)

typedef struct {
    uint8_t type;    /* XBP_CHIP .. XBP_END, XBP_META, XBP_DIR; unknown ancillary records are not reported */
    uint8_t recipe;  /* id: OPS */
    uint8_t pass;    /* of the tile: OPS */
    uint16_t tile;   /* number of the tile: TILE, MASK, GTAR, OPS */
    uint16_t row;    /* first row inside the tile: MASK, GTAR, OPS */
    uint16_t n_row;  /* rows in this record: MASK, GTAR, OPS */
    uint16_t length; /* bytes of payload, decoded */
} xbp_rec;

/* Called once per record (SPARSE ones: once per piece), with 0 for "taken". XBP_LATER: the board is busy; the reader keeps
 * the record and offers it again at the next xbp_feed. Anything else stops the reader with XBP_E_SINK. */
typedef int (*xbp_sink)(void *user, const xbp_rec *rec, const uint8_t *payload);

/* A place among the set cells of a SPARSE record. */
typedef struct {
    uint32_t col;
    uint16_t row, at;
} xbp_cursor;

typedef struct {
    /* Small fields first: short instructions reach them. All but the five below are the reader's own. */
    xbp_rec rec;
    int8_t error;
    uint8_t maps, level, code_bits, recipe, stage, step, damaged, skipped, turning, pulsed, encoding;
    uint16_t fill, need, stored, length, n_row, n_col, tile, passes;
    uint16_t max_payload, macros, rows, cols;
    uint32_t state, new_state, cell_seed, corner, next_row, known, reads, file_length, n_records, chip_id;
    xbp_cursor cursor;
    xbp_sink sink;
    void *user;
    size_t taken;    /* bytes that the last xbp_feed took: fewer than it got after XBP_LATER or an error */
    uint32_t number; /* of the present record: the one that is awaited, or that an error is about */
    uint32_t offset; /* where it starts in the file */
    uint32_t crc;    /* of all bytes so far but the checksums; after END: names the program */
    union {
        uint32_t word; /* aligns */
        uint8_t byte[XBP_RECORD_SIZE + XBP_READER_PAYLOAD + 4];
    } in;
    union {
        uint32_t word;
        uint8_t byte[XBP_READER_PAYLOAD];
    } out;
} xbp_reader;

/* Starts a file for the chip `chip_id`. sink may be NULL: checks only. */
void xbp_init(xbp_reader *r, uint32_t chip_id, xbp_sink sink, void *user);

/* Takes the next n bytes. XBP_OK; XBP_LATER: call it again with the bytes behind r->taken, if only with none; or the error,
 * with r->number and r->offset, that all later calls repeat. */
xbp_status xbp_feed(xbp_reader *r, const uint8_t *data, size_t n);

/* Forgets what it has of the present record, which the link sends again from its first byte: record r->number at r->offset
 * (or the file header, at offset 0). XBP_OK, also behind an error of a record whose checksum was not good; other errors
 * stay. */
xbp_status xbp_again(xbp_reader *r);

/* After the last byte: XBP_DONE for a whole and good file, XBP_LATER, or the error. */
xbp_status xbp_finish(const xbp_reader *r);

/* CRC-32 as of zlib; crc is the value so far, 0 at the start. Builds with -DXBP_OWN_CRC32 bring a function of their own, for
 * example around the CRC unit of a microcontroller. */
uint32_t xbp_crc32(uint32_t crc, const uint8_t *data, size_t n);

/* Little-endian integers at the uint8_t pointer p, which is evaluated several times. */
#define XBP_U16(p) ((uint16_t)((p)[0] | (unsigned)(p)[1] << 8))
#define XBP_U32(p) ((uint32_t)(p)[0] | (uint32_t)(p)[1] << 8 | (uint32_t)(p)[2] << 16 | (uint32_t)(p)[3] << 24)
#define XBP_S16(p) ((int32_t)(XBP_U16(p) ^ 0x8000u) - INT32_C(0x8000))

#ifdef __cplusplus
}
#endif

#endif
