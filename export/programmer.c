/* programmer.c: an example chip programmer. It runs program files on the virtual chip of chip.c.
 *
 *     programmer --chip MAP.npy [--formed] [--faults FILE] [--out READBACK.npy] PROGRAM.xbp ...
 *
 * Each file is read twice: pass 1 checks everything against the limits below without touching the chip, pass 2 acts. A file
 * with good checksums is not trusted: what a recipe may ask for is decided here, at compile time; the defaults suit 40 nm
 * TaOx cells, other technologies form or switch at higher voltages (-DLIMIT_CELL_MV=5000 and so on). Conductance targets are
 * for the host that verifies; the programmer stops pulsing a cell by the thresholds of its tile alone.
 *
 * Exit status: 0 all programs ran (cells that did not get past their threshold are counted), 2 command line or input
 * files that cannot be read, 3 a program was refused: its error class is named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"
#include "npy.h"
#include "xbp.h"

#ifndef LIMIT_LINE_MV
#define LIMIT_LINE_MV 4500 /* any line against ground, either sign */
#endif
#ifndef LIMIT_CELL_MV
#define LIMIT_CELL_MV 4000 /* across a cell, selected or half-selected, either sign */
#endif
#ifndef LIMIT_READ_MV
#define LIMIT_READ_MV 300 /* the same in a READ, which must not change a cell */
#endif
#ifndef LIMIT_COMPLIANCE_NA
#define LIMIT_COMPLIANCE_NA 200000u
#endif
#ifndef LIMIT_BUDGET_NA
#define LIMIT_BUDGET_NA 5000000u /* of all cells that are pulsed together */
#endif
#ifndef LIMIT_WIDTH_NS
#define LIMIT_WIDTH_NS 10000000u /* of one pulse, and of the rest after it */
#endif
#ifndef LIMIT_PULSES
#define LIMIT_PULSES 100u /* of one recipe into one cell */
#endif
#ifndef LIMIT_CELL_PULSES
#define LIMIT_CELL_PULSES 1000u /* of one program into one cell, all passes */
#endif
#if LIMIT_CELL_PULSES > 65535
#error "LIMIT_CELL_PULSES: at most 65535, pulses of a cell are counted in 16 bits"
#endif
#ifndef LIMIT_TOTAL_NS
#define LIMIT_TOTAL_NS 3600000000000u /* of all pulses and verifying reads of one program, at worst: an hour */
#endif

typedef struct {
    int32_t from, step, to; /* mV of the first pulse, change from pulse to pulse, mV that are not passed */
} ramp;

typedef struct {
    unsigned kind, verify_id, max_pulses, read_first, good_reads;
    ramp row, col, select;
    uint32_t ns, settle_ns, guard_nS;
} pulse_recipe;

typedef struct {
    xbp_reader reader;
    chip *target;
    int live;
    const char *refusal; /* why the sink stopped the reader */
    pulse_recipe recipes[XBP_N_RECIPES];
    size_t macro, row0, col0, n_col;
    uint32_t on_min_nS, off_max_nS;
    uint32_t begins, crc;               /* checksums of the file of pass 1: up to its first pulses, and whole */
    uint32_t new_state;                 /* that the program leaves */
    unsigned maps, before;              /* as CHIP says */
    int begun;                          /* the first pulses were there in this pass */
    uint16_t *planned;                  /* pulses of every cell, at worst: pass 1 counts them, pass 2 spends them */
    size_t touched;                     /* cells with any */
    uint64_t total_ns;                  /* counted and spent likewise */
    unsigned long pulses[XBP_KIND_READ + 1], failed;
} board;

static const char CHANGED[] = "another file than the one that was checked";

static int refuse(board *b, const char *why)
{
    b->refusal = why;
    return -1;
}

static int beyond(int32_t value, int32_t limit)
{
    return value > limit || value < -limit;
}

static int take_chip(board *b, const uint8_t *p)
{
    const chip *const c = b->target;

    if (XBP_U16(p + XBP_CHIP_MACROS) != c->macros || XBP_U16(p + XBP_CHIP_ROWS) != c->rows
        || XBP_U16(p + XBP_CHIP_COLS) != c->cols)
        return refuse(b, "made for a chip of another size");
    b->maps = p[XBP_CHIP_MAPS];
    b->before = p[XBP_CHIP_BEFORE];
    b->new_state = XBP_U32(p + XBP_CHIP_NEW_STATE);
    if (b->before == XBP_BEFORE_MEASURED) {
        if (XBP_U32(p + XBP_CHIP_READBACK_ID) != chip_readback_id(c))
            return refuse(b, "made from another read-back of the chip");
        return 0;
    }
    if ((int)b->before != c->state)
        return refuse(b, "made for another state of the chip (unformed, formed or programmed)");
    if (c->state == CHIP_PROGRAMMED && XBP_U32(p + XBP_CHIP_BASE_STATE) != c->holds)
        return refuse(b, "made for a chip that holds another program");
    return 0;
}

static ramp ramp_at(const uint8_t *p)
{
    ramp r;

    r.from = XBP_S16(p);
    r.step = XBP_U16(p + 2);
    r.to = XBP_S16(p + 4);
    return r;
}

/* The voltage of pulse k, counted from 0. */
static int32_t mV_of(const ramp *r, unsigned k)
{
    const int32_t way = r->to - r->from, gone = r->step > 0 && k > 65535u / (unsigned)r->step ? 65535 : (int32_t)k * r->step;

    return way < 0 ? (gone < -way ? r->from - gone : r->to) : gone < way ? r->from + gone : r->to;
}

/* A half-selected cell lies between a driven line and one at 0 V, unless the unselected lines across float. In a READ no
 * line may exceed the limit even so: what floats can charge. */
static int half_selected_beyond(const uint8_t *p, const ramp *line, unsigned across, int32_t limit)
{
    return (beyond(line->from, limit) || beyond(line->to, limit))
        && (p[XBP_RECIPE_KIND] == XBP_KIND_READ || !(p[XBP_RECIPE_FLOATING] & across));
}

static int line_beyond(const ramp *r)
{
    return beyond(r->from, LIMIT_LINE_MV) || beyond(r->to, LIMIT_LINE_MV);
}

static int take_recipe(board *b, const uint8_t *p)
{
    pulse_recipe *const recipe = &b->recipes[p[XBP_RECIPE_ID]];
    const int32_t most_mV = p[XBP_RECIPE_KIND] == XBP_KIND_READ ? LIMIT_READ_MV : LIMIT_CELL_MV;
    ramp *const row = &recipe->row, *const col = &recipe->col;

    recipe->kind = p[XBP_RECIPE_KIND];
    recipe->verify_id = p[XBP_RECIPE_VERIFY_ID];
    recipe->max_pulses = XBP_U16(p + XBP_RECIPE_MAX_PULSES);
    recipe->read_first = p[XBP_RECIPE_READ_FIRST];
    recipe->good_reads = p[XBP_RECIPE_GOOD_READS];
    *row = ramp_at(p + XBP_RECIPE_ROW_MV);
    *col = ramp_at(p + XBP_RECIPE_COL_MV);
    recipe->select = ramp_at(p + XBP_RECIPE_SELECT_MV);
    recipe->ns = XBP_U32(p + XBP_RECIPE_WIDTH_NS);
    recipe->settle_ns = XBP_U32(p + XBP_RECIPE_SETTLE_NS);
    recipe->guard_nS = XBP_U32(p + XBP_RECIPE_GUARD_NS);
    if (line_beyond(row) || line_beyond(col) || line_beyond(&recipe->select))
        return refuse(b, "a line voltage beyond the limit of this board");
    /* Two ramps may be anywhere between their ends: the worst of the four corners counts. */
    if (beyond(row->from - col->from, most_mV) || beyond(row->from - col->to, most_mV)
        || beyond(row->to - col->from, most_mV) || beyond(row->to - col->to, most_mV))
        return refuse(b, "a cell voltage beyond the limit of this board");
    if (half_selected_beyond(p, row, XBP_FLOATING_COLUMNS, most_mV)
        || half_selected_beyond(p, col, XBP_FLOATING_ROWS, most_mV))
        return refuse(b, "a voltage of half-selected cells beyond the limit of this board");
    if (XBP_U32(p + XBP_RECIPE_COMPLIANCE_NA) > LIMIT_COMPLIANCE_NA
        || XBP_U32(p + XBP_RECIPE_BUDGET_NA) > LIMIT_BUDGET_NA)
        return refuse(b, "a current beyond the limit of this board");
    if (recipe->ns > LIMIT_WIDTH_NS || recipe->settle_ns > LIMIT_WIDTH_NS)
        return refuse(b, "a pulse longer than the limit of this board");
    if (recipe->max_pulses > LIMIT_PULSES)
        return refuse(b, "more pulses than the limit of this board");
    return 0;
}

static int take_tile(board *b, const uint8_t *p)
{
    b->macro = XBP_U16(p + XBP_TILE_MACRO);
    b->row0 = XBP_U16(p + XBP_TILE_ROW0);
    b->col0 = XBP_U16(p + XBP_TILE_COL0);
    b->n_col = XBP_U16(p + XBP_TILE_N_COL);
    b->on_min_nS = XBP_U32(p + XBP_TILE_ON_MIN_NS);
    b->off_max_nS = XBP_U32(p + XBP_TILE_OFF_MAX_NS);
    return 0;
}

/* Whether a cell is past its threshold in as many reads in a row as the recipe asks for. */
static int is_past(board *b, const pulse_recipe *recipe, size_t row, size_t col)
{
    const uint32_t guard = recipe->guard_nS;
    const uint64_t on_nS = (uint64_t)b->on_min_nS + guard;
    const uint32_t off_nS = b->off_max_nS > guard ? b->off_max_nS - guard : 0;
    unsigned good;

    for (good = 0; good < recipe->good_reads; good++) {
        const uint32_t nS = chip_read(b->target, b->macro, row, col);
        b->pulses[XBP_KIND_READ]++;
        if (recipe->kind == XBP_KIND_RESET ? nS > off_nS : nS < on_nS)
            return 0;
    }
    return 1;
}

/* Pulses one cell until it is past its threshold, or as often as the recipe allows. Cells of a line that a recipe would
 * drive together are pulsed one after the other here. */
static void drive(board *b, const pulse_recipe *recipe, size_t row, size_t col)
{
    const int verified = recipe->verify_id != XBP_BLIND;
    unsigned n;

    if (recipe->read_first && is_past(b, recipe, row, col))
        return;
    b->target->state = CHIP_UNKNOWN; /* until the whole program has run */
    for (n = 0; n < recipe->max_pulses; n++) {
        const int32_t mV = mV_of(&recipe->row, n) - mV_of(&recipe->col, n);
        chip_pulse(b->target, b->macro, row, col, mV, recipe->ns);
        b->pulses[recipe->kind]++;
        if (verified && is_past(b, recipe, row, col))
            return;
    }
    b->failed += verified ? 1 : 0;
}

/* Pass 1 counts what one cell would get, pass 2 may spend that and no more. */
static int account(board *b, const pulse_recipe *recipe, size_t row, size_t col)
{
    uint16_t *const planned = &b->planned[(b->macro * b->target->rows + row) * b->target->cols + col];
    uint64_t ns = ((uint64_t)recipe->ns + recipe->settle_ns) * recipe->max_pulses;

    if (recipe->verify_id != XBP_BLIND) {
        const pulse_recipe *const verify = &b->recipes[recipe->verify_id];
        const uint64_t read_ns = verify->max_pulses * ((uint64_t)verify->ns + verify->settle_ns);
        ns += read_ns * recipe->good_reads * (recipe->max_pulses + recipe->read_first);
    }
    if (b->live) {
        if (*planned < recipe->max_pulses || b->total_ns < ns)
            return refuse(b, CHANGED);
        *planned = (uint16_t)(*planned - recipe->max_pulses);
        b->total_ns -= ns;
        return 0;
    }
    if (*planned + recipe->max_pulses > LIMIT_CELL_PULSES)
        return refuse(b, "more pulses into one cell than the limit of this board");
    if (ns > LIMIT_TOTAL_NS - b->total_ns)
        return refuse(b, "longer than the limit of this board");
    b->touched += *planned == 0;
    *planned = (uint16_t)(*planned + recipe->max_pulses);
    b->total_ns += ns;
    return 0;
}

static int take_pulses(board *b, const xbp_rec *rec, const uint8_t *p)
{
    const pulse_recipe *const recipe = &b->recipes[rec->recipe];
    const size_t row_bytes = (b->n_col + 7) / 8;
    size_t row, col;

    if (!b->begun && b->live && b->begins != b->reader.crc)
        return refuse(b, CHANGED);
    if (!b->begun)
        b->begins = b->reader.crc;
    b->begun = 1;
    for (row = 0; row < rec->n_row; row++, p += row_bytes)
        for (col = 0; col < b->n_col; col++) {
            const size_t chip_row = b->row0 + rec->row + row, chip_col = b->col0 + col;
            if (!(p[col >> 3] >> (col & 7) & 1))
                continue;
            if (account(b, recipe, chip_row, chip_col) != 0)
                return -1;
            if (b->live)
                drive(b, recipe, chip_row, chip_col);
        }
    return 0;
}

static int take(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    board *const b = user;

    switch (rec->type) {
    case XBP_CHIP:
        return take_chip(b, payload);
    case XBP_RECIPE:
        return take_recipe(b, payload);
    case XBP_TILE:
        return take_tile(b, payload);
    case XBP_OPS:
        return take_pulses(b, rec, payload);
    default:
        return 0; /* MASK and GTAR are the host's; META and DIR are nobody's here */
    }
}

static xbp_status stream(FILE *file, board *b)
{
    uint8_t chunk[512];
    size_t n;

    rewind(file);
    xbp_init(&b->reader, b->target->chip_id, take, b);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (xbp_feed(&b->reader, chunk, n) != XBP_OK)
            break;
    return xbp_finish(&b->reader);
}

/* What a program that ran to its END leaves (SPEC.md, CHIP). Pulses that do not form the whole chip leave it unknown. */
static void settle(const board *b)
{
    chip *const c = b->target;

    if (!(b->maps & XBP_HAS_PULSES))
        return;
    if (b->maps != XBP_HAS_PULSES || b->before != XBP_BEFORE_UNFORMED) {
        c->state = CHIP_PROGRAMMED;
        c->holds = b->new_state;
    } else if (b->touched == c->macros * c->rows * c->cols) {
        c->state = CHIP_FORMED;
    }
}

/* Both passes over an open file; 0, or the exit status. */
static int run_passes(board *b, FILE *file, const char *path)
{
    static const char *const names[] = XBP_ERROR_NAMES;
    xbp_status status = XBP_OK;

    for (b->live = 0; b->live < 2 && status >= 0; b->live++) {
        b->begun = 0;
        status = stream(file, b);
        if (status == XBP_DONE && b->live && b->crc != b->reader.crc) {
            b->refusal = CHANGED;
            status = XBP_E_SINK;
            b->target->state = CHIP_UNKNOWN;
        }
        b->crc = b->reader.crc;
    }
    if (b->target->state == CHIP_UNKNOWN && status != XBP_DONE)
        fprintf(stderr, "%s: stopped between pulses: the state of the chip is unknown\n", path);
    if (ferror(file)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 2;
    }
    if (status != XBP_DONE) {
        fprintf(stderr, "%s: refused: %s in record %lu at byte %lu%s%s\n", path, names[-(int)status],
                (unsigned long)b->reader.number, (unsigned long)b->reader.offset, b->refusal ? ": " : "",
                b->refusal ? b->refusal : "");
        return 3;
    }
    settle(b);
    printf("%s: program %08lx: %lu FORM, %lu SET, %lu RESET pulses, %lu reads, %lu cells short of their threshold%s\n",
           path, (unsigned long)b->crc, b->pulses[XBP_KIND_FORM], b->pulses[XBP_KIND_SET],
           b->pulses[XBP_KIND_RESET], b->pulses[XBP_KIND_READ], b->failed,
           b->target->state == CHIP_UNKNOWN ? "; the state of the chip is unknown" : "");
    return 0;
}

/* Runs one program file; 0, or the exit status. */
static int run(chip *c, const char *path)
{
    static board b;
    FILE *const file = fopen(path, "rb");
    int status = 2;

    if (!file) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return 2;
    }
    memset(&b, 0, sizeof b);
    b.target = c;
    b.planned = calloc(c->macros * c->rows * c->cols, sizeof *b.planned);
    if (b.planned)
        status = run_passes(&b, file, path);
    else
        fprintf(stderr, "%s: no memory to count the pulses of each cell\n", path);
    free(b.planned);
    fclose(file);
    return status;
}

/* Lines of "macro row col stuck_on" or "macro row col stuck_off"; the number of faults, or -1. */
static long plant(chip *c, const char *path)
{
    FILE *const file = fopen(path, "r");
    char line[128], kind[16] = "", rest;
    long n = 0;

    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        unsigned long macro, row, col;
        const int found = sscanf(line, "%lu %lu %lu %15s %c", &macro, &row, &col, kind, &rest);
        const int stuck_on = strcmp(kind, "stuck_on") == 0;
        if (found == EOF)
            continue;
        if (found != 4 || (!stuck_on && strcmp(kind, "stuck_off") != 0) || !chip_stick(c, macro, row, col, stuck_on)) {
            fclose(file);
            return -1;
        }
        n++;
    }
    if (ferror(file))
        n = -1;
    fclose(file);
    return n;
}

static int usage(void)
{
    fputs("usage: programmer --chip MAP.npy [--formed] [--faults FILE] [--out READBACK.npy] PROGRAM.xbp ...\n"
          "  --chip    as-formed map of the chip, siemens, (macros, rows, cols) or (rows, cols)\n"
          "  --formed  the chip is formed already\n"
          "  --faults  text, a fault a line: macro row col stuck_on|stuck_off\n"
          "  --out     where to write what the cells conduct afterwards\n", stderr);
    return 2;
}

static int complain(const char *path, const char *problem)
{
    fprintf(stderr, "%s: %s\n", path, problem);
    return 2;
}

int main(int argc, char **argv)
{
    const char *map_path = NULL, *faults = NULL, *out = NULL, *problem;
    npy_map map;
    chip c;
    int i, formed = 0, status = 0;

    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--formed") == 0)
            formed = 1;
        else if (i + 1 == argc)
            return usage();
        else if (strcmp(argv[i], "--chip") == 0)
            map_path = argv[++i];
        else if (strcmp(argv[i], "--faults") == 0)
            faults = argv[++i];
        else if (strcmp(argv[i], "--out") == 0)
            out = argv[++i];
        else
            return usage();
    }
    if (!map_path || i == argc)
        return usage();
    problem = npy_read(map_path, &map);
    if (problem)
        return complain(map_path, problem);
    problem = chip_open(&c, &map, formed);
    free(map.values);
    if (problem)
        return complain(map_path, problem);
    if (faults) {
        const long planted = plant(&c, faults);
        if (planted < 0) {
            chip_close(&c);
            return complain(faults, "expected lines of: macro row col stuck_on|stuck_off, cells of this chip");
        }
        printf("%s: %ld faults planted\n", faults, planted);
    }
    for (; i < argc && !status; i++)
        status = run(&c, argv[i]);
    if (out && !status) {
        problem = chip_dump(&c, &map);
        if (!problem)
            problem = npy_write(out, &map);
        free(map.values);
    }
    chip_close(&c);
    if (problem)
        return complain(out, problem);
    return status;
}
