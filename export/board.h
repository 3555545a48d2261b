/* board.h: a program at work. board_take is the sink that gets its records, once for each of three passes. */
#ifndef BOARD_H
#define BOARD_H

#include "drive.h"
#include "results.h"
#include "xbp.h"

#ifndef LIMIT_CELL_PULSES
#define LIMIT_CELL_PULSES 1000u /* of one program into one cell, all passes */
#endif
#if LIMIT_CELL_PULSES > 65535
#error "LIMIT_CELL_PULSES: at most 65535, pulses of a cell are counted in 16 bits"
#endif
#ifndef LIMIT_TOTAL_NS
#define LIMIT_TOTAL_NS 3600000000000u /* of all pulses and verifying reads of one program, at worst: an hour */
#endif

/* Check: everything against the limits, the chip is not touched. Act: pulses. Judge: the read-back against the program. */
enum { PASS_CHECK, PASS_ACT, PASS_JUDGE, N_PASSES };

typedef struct {
    xbp_reader reader;
    driver drive;
    outputs *out;
    int pass;
    const char *refusal;   /* why the sink stopped the reader */
    int ahead;             /* checked before the turn of the program: nothing is read */
    int state_refused;     /* the chip is in another state than the program asks for */
    drive_status outage;   /* why the board stopped */
    chip_known known;      /* of the chip before the program */
    chip_recipe recipes[XBP_N_RECIPES], read; /* read: of the read-back */
    int has_read;          /* it is the program's own */
    size_t macro, row0, col0, n_col;
    uint32_t on_min_nS, off_max_nS;
    uint32_t begins, crc;  /* checksums of the file of the first pass: up to its first pulses, and whole */
    uint32_t base_state, new_state;
    unsigned maps, before; /* as CHIP says */
    int begun;             /* the first pulses were there in this pass */
    uint16_t *planned;     /* pulses of every cell, at worst: PASS_CHECK counts them, PASS_ACT spends them */
    size_t touched;        /* cells with any */
    uint8_t *needed;       /* cells that the read-back takes: those of masks, and those with a pulse */
    int read_all;          /* it takes all cells */
    uint64_t total_ns;     /* counted and spent likewise */
    cell_results results;
    unsigned long short_of; /* cells that did not pass the last time they were verified */
    unsigned long checked, bit_errors, failed;
} board;

/* NULL, or that there is no memory. */
const char *board_open(board *b, chip *target, journal *log, outputs *out);
void board_close(board *b);

/* Forgets the program before. */
void board_start(board *b);

int board_take(void *user, const xbp_rec *rec, const uint8_t *payload);

/* Reads cells back into results.nS: `all`, or those that are needed; others hold CELL_UNREAD. 0, or -1 when the board gives no
 * answer. */
int board_read_back(board *b, int all);

/* Digest of the read-back in results.nS. */
uint32_t board_readback_id(const board *b);

/* What is known of the chip when the program has run to its END (SPEC.md, CHIP) and was read back. */
chip_known board_settled(const board *b);

#endif
