/* Constants of XBP 1.0: written by make_table.py from minirram/xbp/table.py. Do not edit. */
#ifndef XBP_TABLE_H
#define XBP_TABLE_H

#define XBP_MAGIC_BYTES { 0x89, 0x58, 0x42, 0x50, 0x0D, 0x0A, 0x1A, 0x0A }
#define XBP_MAJOR 1
#define XBP_ANCILLARY 0x8000u
#define XBP_MIN_PAYLOAD 64u
#define XBP_MAX_PAYLOAD 4096u
#define XBP_MAX_FILE 67108864u
#define XBP_N_RECIPES 16u
#define XBP_BLIND 255u
#define XBP_LSB_FRACTION_BITS 16u

/* record types */
enum {
    XBP_TILE = 0x0001,
    XBP_RECIPE = 0x0002,
    XBP_CHIP = 0x0003,
    XBP_MASK = 0x0010,
    XBP_GTAR = 0x0011,
    XBP_OPS = 0x0020,
    XBP_END = 0x7FFF,
    XBP_META = 0x8001,
    XBP_DIR = 0x8002
};

enum {
    XBP_KIND_FORM = 1,
    XBP_KIND_SET = 2,
    XBP_KIND_RESET = 3,
    XBP_KIND_READ = 4
};

enum {
    XBP_LEVEL_SINGLE = 0,
    XBP_LEVEL_PAIR = 1,
    XBP_LEVEL_CELL = 2
};

enum {
    XBP_STATE_UNFORMED = 0,
    XBP_STATE_FORMED = 1,
    XBP_STATE_PROGRAMMED = 2
};

enum {
    XBP_FLOATING_ROWS = 1,
    XBP_FLOATING_COLUMNS = 2,
    XBP_FLOATING_SELECTS = 4
};

enum {
    XBP_ENCODING_RAW = 0,
    XBP_ENCODING_PACKBITS = 1
};

/* byte offsets of fields, from the start of the file, the record or the payload */
enum {
    XBP_HEADER_MAGIC = 0,
    XBP_HEADER_MAJOR = 8,
    XBP_HEADER_MINOR = 9,
    XBP_HEADER_MAX_PAYLOAD = 10,
    XBP_HEADER_FILE_LENGTH = 12,
    XBP_HEADER_N_RECORDS = 16,
    XBP_HEADER_BUILD_ID = 20,
    XBP_HEADER_CHIP_ID = 24,
    XBP_HEADER_CRC = 28,
    XBP_HEADER_SIZE = 32
};

enum {
    XBP_RECORD_TYPE = 0,
    XBP_RECORD_ENCODING = 2,
    XBP_RECORD_TILE = 4,
    XBP_RECORD_ROW = 6,
    XBP_RECORD_N_ROW = 8,
    XBP_RECORD_LENGTH = 10,
    XBP_RECORD_STORED = 12,
    XBP_RECORD_SEQUENCE = 14,
    XBP_RECORD_SIZE = 16
};

enum {
    XBP_CHIP_MACROS = 0,
    XBP_CHIP_ROWS = 2,
    XBP_CHIP_COLS = 4,
    XBP_CHIP_ORIENTATION = 6,
    XBP_CHIP_STATE = 7,
    XBP_CHIP_BASE_ID = 8,
    XBP_CHIP_PROGRAM_ID = 12,
    XBP_CHIP_SIZE = 20
};

enum {
    XBP_RECIPE_ID = 0,
    XBP_RECIPE_KIND = 1,
    XBP_RECIPE_VERIFY_ID = 2,
    XBP_RECIPE_MAX_PULSES = 4,
    XBP_RECIPE_ROW_MV = 6,
    XBP_RECIPE_COL_MV = 8,
    XBP_RECIPE_SELECT_MV = 10,
    XBP_RECIPE_FLOATING = 12,
    XBP_RECIPE_WIDTH_NS = 16,
    XBP_RECIPE_COMPLIANCE_NA = 20,
    XBP_RECIPE_SIZE = 24
};

enum {
    XBP_TILE_N_ROW = 0,
    XBP_TILE_N_COL = 2,
    XBP_TILE_MACRO = 4,
    XBP_TILE_ROW0 = 6,
    XBP_TILE_COL0 = 8,
    XBP_TILE_CODE_BITS = 10,
    XBP_TILE_LEVEL = 11,
    XBP_TILE_G_OFF_NS = 12,
    XBP_TILE_G_LSB = 16,
    XBP_TILE_N_KEEP = 20,
    XBP_TILE_ON_MIN_NS = 24,
    XBP_TILE_OFF_MAX_NS = 28,
    XBP_TILE_SIZE = 32
};

enum {
    XBP_OPS_RECIPE = 0,
    XBP_OPS_PASS = 1,
    XBP_OPS_SIZE = 4
};

enum {
    XBP_DIR_TILE = 0,
    XBP_DIR_OFFSET = 4,
    XBP_DIR_SIZE = 8
};

typedef enum {
    XBP_OK = 0,
    XBP_DONE = 1,
    XBP_E_TRUNCATED = -1,
    XBP_E_MAGIC = -2,
    XBP_E_VERSION = -3,
    XBP_E_CRC = -4,
    XBP_E_HEADER = -5,
    XBP_E_LIMIT = -6,
    XBP_E_CHIP = -7,
    XBP_E_LENGTH = -8,
    XBP_E_SEQUENCE = -9,
    XBP_E_TYPE = -10,
    XBP_E_COUNT = -11,
    XBP_E_RESERVED = -12,
    XBP_E_ENCODING = -13,
    XBP_E_PACKBITS = -14,
    XBP_E_ORDER = -15,
    XBP_E_RANGE = -16,
    XBP_E_RECIPE = -17,
    XBP_E_PAIR = -18,
    XBP_E_TOTAL = -19,
    XBP_E_EXTRA = -20,
    XBP_E_SINK = -21
} xbp_status;

/* names of the error classes by number: XBP_ERROR_NAMES[-status] */
#define XBP_ERROR_NAMES \
    { "OK", \
      "TRUNCATED", \
      "MAGIC", \
      "VERSION", \
      "CRC", \
      "HEADER", \
      "LIMIT", \
      "CHIP", \
      "LENGTH", \
      "SEQUENCE", \
      "TYPE", \
      "COUNT", \
      "RESERVED", \
      "ENCODING", \
      "PACKBITS", \
      "ORDER", \
      "RANGE", \
      "RECIPE", \
      "PAIR", \
      "TOTAL", \
      "EXTRA", \
      "SINK" }

#endif
