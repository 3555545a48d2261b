/* board.c: see board.h. */
#include "board.h"

#include <stdlib.h>
#include <string.h>

#include "recipe.h"

static const char CHANGED[] = "another file than the one that was checked";

static int refuse(board *b, const char *why)
{
    b->refusal = why;
    return -1;
}

static int refuse_state(board *b, const char *why)
{
    b->state_refused = 1;
    return refuse(b, why);
}

static size_t all_cells(const board *b)
{
    return b->results.macros * b->results.rows * b->results.cols;
}

static size_t index_of(const board *b, size_t row, size_t col)
{
    return (b->macro * b->results.rows + row) * b->results.cols + col;
}

const char *board_open(board *b, chip *target, journal *log, outputs *out)
{
    const chip_capabilities *const can = chip_can(target);
    cell_results *const r = &b->results;
    size_t cells;

    memset(b, 0, sizeof *b);
    b->drive.target = target;
    b->drive.log = log;
    b->out = out;
    r->macros = can->macros;
    r->rows = can->rows;
    r->cols = can->cols;
    cells = all_cells(b);
    b->planned = calloc(cells, sizeof *b->planned);
    r->pulses = calloc(cells, sizeof *r->pulses);
    b->needed = calloc(cells, 1);
    r->nS = calloc(cells, sizeof *r->nS);
    r->failure = calloc(cells, 1);
    r->interrupted = calloc(cells, 1);
    return b->planned && b->needed && r->pulses && r->nS && r->failure && r->interrupted ? NULL : "no memory for a figure of each cell";
}

void board_close(board *b)
{
    free(b->planned);
    free(b->needed);
    free(b->results.pulses);
    free(b->results.nS);
    free(b->results.failure);
    free(b->results.interrupted);
}

void board_start(board *b)
{
    const board kept = *b;
    const size_t cells = all_cells(b);

    memset(b, 0, sizeof *b);
    b->drive.target = kept.drive.target;
    b->drive.log = kept.drive.log;
    b->drive.number = kept.drive.number;
    b->out = kept.out;
    b->results = kept.results;
    b->planned = kept.planned;
    b->needed = kept.needed;
    b->read_all = kept.read_all;
    b->read = recipe_plain_read();
    memset(b->planned, 0, cells * sizeof *b->planned);
    memset(b->needed, 0, cells);
    memset(b->results.pulses, 0, cells * sizeof *b->results.pulses);
    memset(b->results.failure, 0, cells);
    memset(b->results.interrupted, 0, cells);
}

static int check_state(board *b, const uint8_t *p)
{
    const chip_known *const known = &b->known;

    if (b->before == XBP_BEFORE_MEASURED) {
        const uint32_t id = XBP_U32(p + XBP_CHIP_READBACK_ID);
        if (b->ahead)
            return 0;
        if (!known->read && board_read_back(b, 1) != 0)
            return -1;
        if (id != (known->read ? known->readback : board_readback_id(b)))
            return refuse_state(b, "made from another read-back of the chip");
        return 0;
    }
    if ((int)b->before != known->state)
        return refuse_state(b, known->state == CHIP_UNKNOWN
            ? "made for another state of the chip, which is unknown: go on with what was stopped, or read it back and repair"
            : "made for another state of the chip (unformed, formed or programmed)");
    if (known->state == CHIP_PROGRAMMED && XBP_U32(p + XBP_CHIP_BASE_STATE) != known->holds)
        return refuse_state(b, "made for a chip that holds another program");
    return 0;
}

static int take_chip(board *b, const uint8_t *p)
{
    if (XBP_U16(p + XBP_CHIP_MACROS) != b->results.macros || XBP_U16(p + XBP_CHIP_ROWS) != b->results.rows
        || XBP_U16(p + XBP_CHIP_COLS) != b->results.cols)
        return refuse(b, "made for a chip of another size");
    b->maps = p[XBP_CHIP_MAPS];
    b->before = p[XBP_CHIP_BEFORE];
    b->base_state = XBP_U32(p + XBP_CHIP_BASE_STATE);
    b->new_state = XBP_U32(p + XBP_CHIP_NEW_STATE);
    return b->pass == PASS_CHECK ? check_state(b, p) : 0;
}

static int take_recipe(board *b, const uint8_t *p)
{
    chip_recipe *const recipe = &b->recipes[p[XBP_RECIPE_ID]];
    const char *why;

    *recipe = recipe_of(p);
    why = recipe_refused(recipe, chip_can(b->drive.target));
    if (recipe->kind == XBP_KIND_READ && !b->has_read) {
        b->read = *recipe;
        b->has_read = 1;
    }
    return why ? refuse(b, why) : 0;
}

/* The read-back takes n_row rows of the present tile. */
static void need_rows(board *b, size_t n_row)
{
    size_t row;

    for (row = b->row0; row < b->row0 + n_row; row++)
        memset(b->needed + index_of(b, row, b->col0), 1, b->n_col);
}

static int take_tile(board *b, const uint8_t *p)
{
    b->macro = XBP_U16(p + XBP_TILE_MACRO);
    b->row0 = XBP_U16(p + XBP_TILE_ROW0);
    b->col0 = XBP_U16(p + XBP_TILE_COL0);
    b->n_col = XBP_U16(p + XBP_TILE_N_COL);
    b->on_min_nS = XBP_U32(p + XBP_TILE_ON_MIN_NS);
    b->off_max_nS = XBP_U32(p + XBP_TILE_OFF_MAX_NS);
    if (b->maps & XBP_HAS_MASK)
        need_rows(b, XBP_U16(p + XBP_TILE_N_ROW));
    return 0;
}

/* PASS_CHECK counts what one cell would get, PASS_ACT may spend that and no more. */
static int account(board *b, const chip_recipe *recipe, size_t row, size_t col)
{
    uint16_t *const planned = &b->planned[index_of(b, row, col)];
    uint64_t ns = ((uint64_t)recipe->ns + recipe->settle_ns) * recipe->max_pulses;

    if (recipe->verify_id != XBP_BLIND) {
        const chip_recipe *const verify = &b->recipes[recipe->verify_id];
        const uint64_t read_ns = verify->max_pulses * ((uint64_t)verify->ns + verify->settle_ns);
        ns += read_ns * recipe->good_reads * (recipe->max_pulses + recipe->read_first);
    }
    if (b->pass == PASS_ACT) {
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

/* The last moment before the first pulse: what lies on disk about this chip is outdated from here on. */
static int begin(board *b)
{
    if (b->pass == PASS_ACT && b->begins != b->reader.crc)
        return refuse(b, CHANGED);
    b->begins = b->reader.crc;
    b->begun = 1;
    if (b->pass == PASS_ACT) {
        if (journal_program(b->drive.log, b->crc) != 0) {
            b->outage = DRIVE_NO_JOURNAL;
            return -1;
        }
        outputs_outdated(b->out);
    }
    return 0;
}

/* Cells of a step. */
typedef struct {
    uint16_t row[JOURNAL_CELLS], col[JOURNAL_CELLS];
    size_t n, most;
} group;

/* Gives the cells of a group their pulses, and books what came of it. */
static int drive_group(board *b, const chip_recipe *recipe, group *g)
{
    static uint16_t pulses[JOURNAL_CELLS];
    static uint8_t failed[JOURNAL_CELLS];
    const chip_recipe *const read = recipe->verify_id != XBP_BLIND ? &b->recipes[recipe->verify_id] : b->has_read ? &b->read : NULL;
    const chip_verify verify = { recipe, read, b->on_min_nS, b->off_max_nS };
    const chip_cells cells = { b->macro, g->n, g->row, g->col };
    int stopped;
    size_t k;

    if (g->n == 0)
        return 0;
    b->outage = drive_cells(&b->drive, &cells, &verify, pulses, failed, &stopped);
    if (b->outage != DRIVE_DONE)
        return -1;
    for (k = 0; k < g->n; k++) {
        const size_t i = index_of(b, g->row[k], g->col[k]);
        b->results.pulses[i] += pulses[k];
        if (recipe->verify_id != XBP_BLIND)
            b->results.failure[i] = (uint8_t)(!failed[k] ? FAILED_NOT : recipe->kind == XBP_KIND_RESET ? FAILED_ON : FAILED_OFF);
        if (stopped)
            b->results.interrupted[i] = 1;
        b->short_of += failed[k];
    }
    g->n = 0;
    return 0;
}

/* A cell to pulse; a full group is driven. */
static int add(board *b, const chip_recipe *recipe, group *g, size_t row, size_t col)
{
    if (account(b, recipe, row, col) != 0)
        return -1;
    b->needed[index_of(b, row, col)] = 1;
    if (b->pass != PASS_ACT)
        return 0;
    g->row[g->n] = (uint16_t)row;
    g->col[g->n++] = (uint16_t)col;
    return g->n == g->most ? drive_group(b, recipe, g) : 0;
}

/* Cells that the recipe and the board let pulse together. */
static size_t together(const board *b, const chip_recipe *recipe)
{
    const chip_capabilities *const can = chip_can(b->drive.target);
    const uint32_t budget_nA = recipe->budget_nA < can->current_nA ? recipe->budget_nA : can->current_nA;

    if (recipe->drive == XBP_DRIVE_CELL || can->granularity == CHIP_CELL || budget_nA / recipe->compliance_nA < 1)
        return 1;
    return budget_nA / recipe->compliance_nA < JOURNAL_CELLS ? budget_nA / recipe->compliance_nA : JOURNAL_CELLS;
}

static int take_pulses(board *b, const xbp_rec *rec, const uint8_t *p)
{
    static group g;
    const chip_recipe *const recipe = &b->recipes[rec->recipe];
    const size_t row_bytes = (b->n_col + 7) / 8;
    const int by_column = recipe->drive == XBP_DRIVE_COLUMN;
    const size_t lines = by_column ? b->n_col : rec->n_row, across = by_column ? rec->n_row : b->n_col;
    size_t line, k;

    if (!b->begun && begin(b) != 0)
        return -1;
    g.n = 0;
    g.most = together(b, recipe);
    for (line = 0; line < lines; line++) {
        for (k = 0; k < across; k++) {
            const size_t row = by_column ? k : line, col = by_column ? line : k;
            if (p[row * row_bytes + (col >> 3)] >> (col & 7) & 1
                && add(b, recipe, &g, b->row0 + rec->row + row, b->col0 + col) != 0)
                return -1;
        }
        if (drive_group(b, recipe, &g) != 0)
            return -1;
    }
    return 0;
}

/* Compares what was read back with what the program says of a cell. */
static void judge(board *b, size_t row, size_t col, int on)
{
    const size_t i = index_of(b, row, col);
    const uint32_t nS = b->results.nS[i];

    b->checked++;
    b->results.failure[i] = (uint8_t)(on && nS < b->on_min_nS ? FAILED_OFF : !on && nS > b->off_max_nS ? FAILED_ON : FAILED_NOT);
    b->bit_errors += b->results.failure[i] != FAILED_NOT;
}

static int judge_rows(board *b, const xbp_rec *rec, const uint8_t *p)
{
    const size_t row_bytes = (b->n_col + 7) / 8;
    const int change = rec->type == XBP_OPS;
    size_t row, col;

    for (row = 0; row < rec->n_row; row++, p += row_bytes)
        for (col = 0; col < b->n_col; col++) {
            const int set = p[col >> 3] >> (col & 7) & 1;
            if (set || !change)
                judge(b, b->row0 + rec->row + row, b->col0 + col,
                      change ? b->recipes[rec->recipe].kind != XBP_KIND_RESET : set);
        }
    return 0;
}

int board_take(void *user, const xbp_rec *rec, const uint8_t *payload)
{
    board *const b = user;
    const int change = !(b->maps & XBP_HAS_MASK) && b->before >= XBP_BEFORE_PROGRAMMED;

    switch (rec->type) {
    case XBP_CHIP:
        return take_chip(b, payload);
    case XBP_RECIPE:
        return take_recipe(b, payload);
    case XBP_TILE:
        return take_tile(b, payload);
    case XBP_MASK:
        return b->pass == PASS_JUDGE ? judge_rows(b, rec, payload) : 0;
    case XBP_OPS:
        if (b->pass == PASS_JUDGE)
            return change ? judge_rows(b, rec, payload) : 0;
        return take_pulses(b, rec, payload);
    default:
        return 0; /* GTAR is the host's; META and DIR are nobody's here */
    }
}

/* Reads the cells of one row that the read-back takes. */
static int read_row(board *b, size_t macro, size_t row, int all)
{
    static uint16_t rows[JOURNAL_CELLS], cols[JOURNAL_CELLS];
    static uint32_t found[JOURNAL_CELLS];
    uint32_t *const nS = b->results.nS + (macro * b->results.rows + row) * b->results.cols;
    const uint8_t *const needed = b->needed + (nS - b->results.nS);
    chip_cells cells = { 0, 0, rows, cols };
    size_t col, k;

    cells.macro = macro;
    for (col = 0; col < b->results.cols; col++) {
        nS[col] = CELL_UNREAD;
        if (all || needed[col]) {
            rows[cells.n] = (uint16_t)row;
            cols[cells.n++] = (uint16_t)col;
        }
        if (cells.n && (cells.n == JOURNAL_CELLS || col + 1 == b->results.cols)) {
            b->outage = drive_read(&b->drive, &cells, &b->read, found);
            if (b->outage != DRIVE_DONE)
                return -1;
            for (k = 0; k < cells.n; k++)
                nS[cols[k]] = found[k];
            cells.n = 0;
        }
    }
    return 0;
}

int board_read_back(board *b, int all)
{
    size_t macro, row;

    for (macro = 0; macro < b->results.macros; macro++)
        for (row = 0; row < b->results.rows; row++)
            if (read_row(b, macro, row, all || b->read_all) != 0)
                return -1;
    return 0;
}

uint32_t board_readback_id(const board *b)
{
    const size_t cells = all_cells(b);
    uint32_t crc = 0;
    size_t i;
    int k;

    for (i = 0; i < cells; i++) {
        uint8_t raw[4];
        for (k = 0; k < 4; k++)
            raw[k] = (uint8_t)(b->results.nS[i] >> 8 * k);
        crc = xbp_crc32(crc, raw, sizeof raw);
    }
    return crc;
}

chip_known board_settled(const board *b)
{
    chip_known known = b->known;

    known.read = 1;
    known.readback = board_readback_id(b);
    if (!(b->maps & XBP_HAS_PULSES))
        return known;
    if (b->maps != XBP_HAS_PULSES || b->before != XBP_BEFORE_UNFORMED) {
        known.state = CHIP_PROGRAMMED;
        known.holds = b->new_state;
    } else {
        known.state = b->touched == all_cells(b) ? CHIP_FORMED : CHIP_UNKNOWN;
    }
    return known;
}
