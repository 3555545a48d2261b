/* repair.h: makes the frame of a damaged program file good again, so that a fuzzer comes behind the checksums. */
#ifndef REPAIR_H
#define REPAIR_H

#include "../xbp.h"

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value);
    put16(p + 2, value >> 16);
}

/* Numbers, checksums, record count and file length of a program for the chip `chip_id`, but what the bits of `leave` say. */
static void repair(uint8_t *data, size_t size, uint32_t chip_id, unsigned leave)
{
    size_t at = XBP_HEADER_SIZE;
    uint32_t index = 0, crc;

    for (; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        at += XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3) + 4;
    }
    if (!(leave & 1u))
        put32(data + XBP_HEADER_FILE_LENGTH, (uint32_t)(at < size ? at : size));
    if (!(leave & 2u))
        put32(data + XBP_HEADER_N_RECORDS, index);
    put32(data + XBP_HEADER_CHIP_ID, chip_id);
    crc = xbp_crc32(0, data, XBP_HEADER_CRC);
    put32(data + XBP_HEADER_CRC, crc);
    for (at = XBP_HEADER_SIZE, index = 0; at + XBP_RECORD_SIZE + 4 <= size; index++) {
        const size_t stored = XBP_U16(data + at + XBP_RECORD_STORED);
        const size_t body = XBP_RECORD_SIZE + ((stored + 3) & ~(size_t)3);
        if (!(leave & 4u))
            put32(data + at + XBP_RECORD_NUMBER, index);
        if (at + body + 4 <= size && !(leave & 8u)) {
            crc = xbp_crc32(crc, data + at, body);
            put32(data + at + body, crc);
        }
        at += body + 4;
    }
}

/* Writes the state into CHIP that the maps lead to, as far as the reader comes: END then finds it right. */
static void agree(uint8_t *data, size_t size, uint32_t chip_id)
{
    static xbp_reader reader;
    const size_t chip_at = XBP_HEADER_SIZE + XBP_RECORD_SIZE;

    if (size < chip_at + XBP_CHIP_SIZE + 4)
        return;
    xbp_init(&reader, chip_id, NULL, NULL);
    if (xbp_feed(&reader, data, size) != XBP_E_TOTAL)
        return;
    put32(data + chip_at + XBP_CHIP_NEW_STATE, reader.state);
    repair(data, size, chip_id, 0);
}

#endif
