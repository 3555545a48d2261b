/* Constants of XBP 2.0: written by make_table.py from minirram/xbp/table.py. Do not edit. */
#ifndef XBP_TABLE_H
#define XBP_TABLE_H

#define XBP_MAGIC_LOW 0x50425889u
#define XBP_MAGIC_HIGH 0x0A1A0A0Du
#define XBP_MAJOR 2
#define XBP_ANCILLARY 0x80u
#define XBP_MIN_PAYLOAD 64u
#define XBP_MAX_PAYLOAD 4096u
#define XBP_MAX_FILE 1073741824u
#define XBP_N_RECIPES 16u
#define XBP_BLIND 255u
#define XBP_LSB_FRACTION_BITS 16u
#define XBP_GAP_BYTES 4u
/* bit 8 * before + maps: a file may have these maps for a chip in that state */
#define XBP_MAPS_ALLOWED 0xB1BBA0B0u

/* record types */
enum {
    XBP_CHIP = 0x01,
    XBP_RECIPE = 0x02,
    XBP_TILE = 0x03,
    XBP_MASK = 0x04,
    XBP_GTAR = 0x05,
    XBP_OPS = 0x06,
    XBP_END = 0x07,
    XBP_META = 0x81,
    XBP_DIR = 0x82
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
    XBP_HAS_MASK = 1,
    XBP_HAS_TARGETS = 2,
    XBP_HAS_PULSES = 4
};

enum {
    XBP_BEFORE_UNFORMED = 0,
    XBP_BEFORE_FORMED = 1,
    XBP_BEFORE_PROGRAMMED = 2,
    XBP_BEFORE_MEASURED = 3
};

enum {
    XBP_FLOATING_ROWS = 1,
    XBP_FLOATING_COLUMNS = 2,
    XBP_FLOATING_SELECTS = 4
};

enum {
    XBP_DRIVE_CELL = 0,
    XBP_DRIVE_ROW = 1,
    XBP_DRIVE_COLUMN = 2
};

enum {
    XBP_ENCODING_RAW = 0,
    XBP_ENCODING_PACKBITS = 1,
    XBP_ENCODING_SPARSE = 2
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
    XBP_RECORD_ENCODING = 1,
    XBP_RECORD_STORED = 2,
    XBP_RECORD_NUMBER = 4,
    XBP_RECORD_TILE = 8,
    XBP_RECORD_ROW = 10,
    XBP_RECORD_N_ROW = 12,
    XBP_RECORD_RECIPE = 14,
    XBP_RECORD_PASS = 15,
    XBP_RECORD_SIZE = 16
};

enum {
    XBP_CHIP_MACROS = 0,
    XBP_CHIP_ROWS = 2,
    XBP_CHIP_COLS = 4,
    XBP_CHIP_ORIENTATION = 6,
    XBP_CHIP_MAPS = 7,
    XBP_CHIP_BEFORE = 8,
    XBP_CHIP_BASE_STATE = 12,
    XBP_CHIP_NEW_STATE = 16,
    XBP_CHIP_READBACK_ID = 20,
    XBP_CHIP_SIZE = 24
};

enum {
    XBP_RECIPE_ID = 0,
    XBP_RECIPE_KIND = 1,
    XBP_RECIPE_VERIFY_ID = 2,
    XBP_RECIPE_DRIVE = 3,
    XBP_RECIPE_FLOATING = 4,
    XBP_RECIPE_READ_FIRST = 5,
    XBP_RECIPE_GOOD_READS = 6,
    XBP_RECIPE_MAX_PULSES = 8,
    XBP_RECIPE_ROW_MV = 10,
    XBP_RECIPE_ROW_STEP_MV = 12,
    XBP_RECIPE_ROW_TO_MV = 14,
    XBP_RECIPE_COL_MV = 16,
    XBP_RECIPE_COL_STEP_MV = 18,
    XBP_RECIPE_COL_TO_MV = 20,
    XBP_RECIPE_SELECT_MV = 22,
    XBP_RECIPE_SELECT_STEP_MV = 24,
    XBP_RECIPE_SELECT_TO_MV = 26,
    XBP_RECIPE_WIDTH_NS = 28,
    XBP_RECIPE_SETTLE_NS = 32,
    XBP_RECIPE_COMPLIANCE_NA = 36,
    XBP_RECIPE_BUDGET_NA = 40,
    XBP_RECIPE_GUARD_NS = 44,
    XBP_RECIPE_SIZE = 48
};

enum {
    XBP_TILE_N_ROW = 0,
    XBP_TILE_N_COL = 2,
    XBP_TILE_MACRO = 4,
    XBP_TILE_ROW0 = 6,
    XBP_TILE_COL0 = 8,
    XBP_TILE_LEVEL = 10,
    XBP_TILE_CODE_BITS = 11,
    XBP_TILE_ON_MIN_NS = 12,
    XBP_TILE_OFF_MAX_NS = 16,
    XBP_TILE_G_OFF_NS = 20,
    XBP_TILE_G_LSB = 24,
    XBP_TILE_SIZE = 28
};

enum {
    XBP_DIR_TILE = 0,
    XBP_DIR_OFFSET = 4,
    XBP_DIR_SIZE = 8
};

typedef enum {
    XBP_OK = 0,
    XBP_DONE = 1,
    XBP_LATER = 2,
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
    XBP_E_PACKED = -14,
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
      "PACKED", \
      "ORDER", \
      "RANGE", \
      "RECIPE", \
      "PAIR", \
      "TOTAL", \
      "EXTRA", \
      "SINK" }

#endif
