/* service.c: see service.h. One request at a time; the last answer is kept for a request that comes again. */
#include "service.h"

#include <stdio.h>
#include <string.h>

#include "../board.h"
#include "../infer.h"
#include "../recipe.h"
#include "frames.h"
#include "port.h"

enum { HELLO = 1, PULSE, READ, IDLE, ANSWER = 0x80 };
enum { GOOD, BUSY, REFUSED, NO_SESSION };
enum { HEAD = 8, ROWS = 12, BUSY_MS = 250, SILENCE_MS = 10000 };

#ifndef DIGITAL_BYTES
#define DIGITAL_BYTES 65536u /* of digital.bin */
#endif
#ifndef WORK_BYTES
#define WORK_BYTES 131072u /* working memory of inference */
#endif

static frame_receiver receiver;
static union {
    uint32_t word; /* aligns */
    uint8_t byte[FRAME_BYTES + 4];
} answer;
static size_t n_answer; /* bytes behind its head */
static uint16_t sequence;
static uint32_t session, word_ms; /* when the host last heard something */
static int in_session;

static driver *drive;
static board programmer;
static outputs no_outputs;
static infer_model model;
static int has_model;
static uint8_t digital[DIGITAL_BYTES];
static uint32_t work[WORK_BYTES / 4];

/* A request at work: rows of a macro. */
typedef struct {
    unsigned kind;
    int verified;
    size_t macro, row, rows;
    uint32_t limit;
    const uint8_t *recipe, *read, *bits;
} request;

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

static void head(uint8_t *p, unsigned operation, unsigned status, unsigned number, uint32_t of)
{
    p[0] = (uint8_t)(operation | ANSWER);
    p[1] = (uint8_t)status;
    put16(p + 2, number);
    put32(p + 4, of);
}

/* Says that the answer will come, when nothing was said for a while. */
static void tell_busy(void)
{
    uint8_t body[HEAD + 4];

    if (port_ms() - word_ms < BUSY_MS)
        return;
    head(body, receiver.body[0], BUSY, sequence, session);
    frame_send(body, HEAD);
    word_ms = port_ms();
}

static int refuse(const char *why)
{
    n_answer = strlen(why);
    memcpy(answer.byte + HEAD, why, n_answer);
    return REFUSED;
}

static int outage(drive_status status)
{
    return refuse(status == DRIVE_REFUSED ? "the chip refuses the command" : "the chip gives no answer");
}

static int hello(void)
{
    static const char *const granularity[] = { "cell", "line", "mask" };
    const chip_capabilities *const can = chip_can(drive->target);

    n_answer = (size_t)snprintf((char *)answer.byte + HEAD, FRAME_BYTES - HEAD,
        "{\"name\": \"%s\", \"macros\": %lu, \"rows\": %lu, \"cols\": %lu, \"granularity\": \"%s\", \"max_line_V\": %ld.%03ld, "
        "\"max_current_A\": %lu.%09lu, \"verifies\": true, \"noisy\": false, \"multiplies\": false, \"read_unit_S\": 1e-09, "
        "\"call_s\": 0.0, \"frame_bytes\": %lu, \"known_bad\": false}",
        can->name, (unsigned long)can->macros, (unsigned long)can->rows, (unsigned long)can->cols,
        granularity[can->granularity], (long)can->line_mV / 1000, (long)can->line_mV % 1000,
        (unsigned long)(can->current_nA / 1000000000u), (unsigned long)(can->current_nA % 1000000000u),
        (unsigned long)FRAME_BYTES);
    return GOOD;
}

/* Takes rows, recipes and bitmap apart; NULL, or why they are none. */
static const char *take_request(request *q, const uint8_t *p, size_t n)
{
    const chip_capabilities *const can = chip_can(drive->target);
    const size_t stride = (can->cols + 7) / 8;

    if (n < ROWS + 2 * XBP_RECIPE_SIZE)
        return "a request that is none: too short";
    q->kind = p[0] + 1u;
    q->verified = p[1];
    q->macro = XBP_U16(p + 2);
    q->row = XBP_U16(p + 4);
    q->rows = XBP_U16(p + 6);
    q->limit = XBP_U32(p + 8);
    q->recipe = p + ROWS;
    q->read = q->recipe + XBP_RECIPE_SIZE;
    q->bits = q->read + XBP_RECIPE_SIZE;
    if (q->kind > XBP_KIND_READ || q->macro >= can->macros || q->row + q->rows > can->rows
        || n != ROWS + 2 * XBP_RECIPE_SIZE + q->rows * stride)
        return "a request that is none: cells that the chip does not have";
    return NULL;
}

/* The recipe on the wire, all zeros for the board's own READ. NULL, or why it is refused. */
static const char *take_recipe(const uint8_t *p, unsigned kind, chip_recipe *recipe)
{
    size_t k;

    for (k = 0; k < XBP_RECIPE_SIZE && p[k] == 0; k++)
        ;
    *recipe = k == XBP_RECIPE_SIZE && kind == XBP_KIND_READ ? recipe_plain_read() : recipe_of(p);
    if (recipe->kind != kind || recipe->max_pulses < 1 || recipe->ns < 1)
        return "a recipe of another kind, or without a pulse";
    return recipe_refused(recipe, chip_can(drive->target));
}

/* The next cells of one row, at most `most`, from column *col on. */
static chip_cells next_cells(const request *q, size_t row, size_t *col, size_t most)
{
    static uint16_t rows[JOURNAL_CELLS], cols[JOURNAL_CELLS];
    const size_t n_cols = chip_can(drive->target)->cols;
    const uint8_t *const bits = q->bits + row * ((n_cols + 7) / 8);
    chip_cells cells = { 0, 0, rows, cols };

    cells.macro = q->macro;
    for (; *col < n_cols && cells.n < most; ++*col)
        if (bits[*col >> 3] >> (*col & 7) & 1) {
            rows[cells.n] = (uint16_t)(q->row + row);
            cols[cells.n++] = (uint16_t)*col;
        }
    return cells;
}

/* Cells that one pulse reaches. */
static size_t together(const chip_recipe *recipe)
{
    const chip_capabilities *const can = chip_can(drive->target);
    const uint32_t most = recipe->compliance_nA ? can->current_nA / recipe->compliance_nA : JOURNAL_CELLS;

    return can->granularity == CHIP_CELL || most < 1 ? 1 : most < JOURNAL_CELLS ? most : JOURNAL_CELLS;
}

/* How PULSE verifies: what the host says of the limit has the guard band in it already. */
static const char *take_recipes(const request *q, chip_recipe *write, chip_recipe *read, chip_verify *verify)
{
    const char *wrong = take_recipe(q->recipe, q->kind, write);

    *read = recipe_plain_read();
    if (!wrong && q->verified)
        wrong = take_recipe(q->read, XBP_KIND_READ, read);
    write->verify_id = q->verified ? 0 : XBP_BLIND;
    write->good_reads = write->good_reads ? write->good_reads : 1;
    write->read_first = 0; /* the host reads first */
    write->guard_nS = 0;
    verify->write = write;
    verify->read = read;
    verify->on_min_nS = verify->off_max_nS = q->limit;
    return wrong;
}

static int pulse(const request *q)
{
    static uint16_t given[JOURNAL_CELLS];
    static uint8_t failed[JOURNAL_CELLS], bits[FRAME_BYTES / 16 + 1];
    chip_recipe write, read;
    chip_verify verify;
    const char *const wrong = take_recipes(q, &write, &read, &verify);
    size_t row, k, n = 0;
    int stopped;

    if (wrong)
        return refuse(wrong);
    memset(bits, 0, sizeof bits);
    for (row = 0; row < q->rows; row++) {
        size_t col = 0;
        for (;;) {
            const chip_cells cells = next_cells(q, row, &col, together(&write));
            drive_status status;
            if (cells.n == 0)
                break;
            if (HEAD + 2 * (n + cells.n) + (n + cells.n + 7) / 8 > FRAME_BYTES)
                return refuse("more cells than an answer holds");
            status = drive_cells(drive, &cells, &verify, given, failed, &stopped);
            if (status != DRIVE_DONE)
                return outage(status);
            for (k = 0; k < cells.n; k++, n++) {
                put16(answer.byte + HEAD + 2 * n, given[k]);
                bits[n >> 3] = (uint8_t)(bits[n >> 3] | failed[k] << (n & 7));
            }
            tell_busy();
        }
    }
    memcpy(answer.byte + HEAD + 2 * n, bits, (n + 7) / 8);
    n_answer = 2 * n + (n + 7) / 8;
    return GOOD;
}

static int read_cells(const request *q)
{
    static uint32_t nS[JOURNAL_CELLS];
    chip_recipe recipe;
    const char *const wrong = take_recipe(q->recipe, XBP_KIND_READ, &recipe);
    size_t row, k, n = 0;

    if (wrong)
        return refuse(wrong);
    for (row = 0; row < q->rows; row++) {
        size_t col = 0;
        for (;;) {
            const chip_cells cells = next_cells(q, row, &col, JOURNAL_CELLS);
            drive_status status;
            if (cells.n == 0)
                break;
            if (HEAD + 4 * (n + cells.n) > FRAME_BYTES)
                return refuse("more cells than an answer holds");
            status = drive_read(drive, &cells, &recipe, nS);
            if (status != DRIVE_DONE)
                return outage(status);
            for (k = 0; k < cells.n; k++, n++)
                put32(answer.byte + HEAD + 4 * n, nS[k]);
            tell_busy();
        }
    }
    n_answer = 4 * n;
    return GOOD;
}

/* -- the digital side ---------------------------------------------------------------------------------------------------- */

static int load(const uint8_t *p, size_t n)
{
    uint32_t size, at;
    int status = INFER_OK;

    if (n < 8)
        return refuse("a part of a file that is none");
    size = XBP_U32(p);
    at = XBP_U32(p + 4);
    if (size > DIGITAL_BYTES || at > size || n - 8 > size - at)
        return refuse("a digital side larger than this board keeps");
    has_model = 0;
    memcpy(digital + at, p + 8, n - 8);
    if (at + n - 8 == size) {
        status = infer_open(&model, digital, size, chip_can(drive->target));
        has_model = status == INFER_OK && model.work_bytes <= WORK_BYTES;
        if (status == INFER_OK && !has_model)
            status = INFER_E_MEMORY;
    }
    put32(answer.byte + HEAD, (uint32_t)status);
    put32(answer.byte + HEAD + 4, model.work_bytes);
    n_answer = 8;
    return GOOD;
}

static void saw(void *user, unsigned step, const infer_shape *shape, const void *numbers)
{
    const uint32_t n = shape->height * shape->width * shape->channels * (shape->codes ? 1 : 4);

    (void)user; /* values are little-endian in the memory of these boards */
    put32(answer.byte + HEAD + 4 + 4 * step, xbp_crc32(0, numbers, n));
    tell_busy();
}

static int infer(const uint8_t *p, size_t n)
{
    const infer_shape *const s = &model.input;
    int class;

    if (!has_model || n != s->height * s->width * s->channels || model.n_steps > (FRAME_BYTES - HEAD) / 4 - 1)
        return refuse("no digital side, or an input of another size");
    model.number = drive->number;
    class = infer_run(&model, drive->target, p, work, sizeof work, saw, NULL);
    drive->number = model.number;
    put16(answer.byte + HEAD, (uint32_t)class);
    put16(answer.byte + HEAD + 2, 0);
    n_answer = 4 + 4 * (size_t)model.n_steps;
    return GOOD;
}

/* -- program files ------------------------------------------------------------------------------------------------------- */

/* Bytes of a program file: each of three passes streams it from its start. */
static int program(const uint8_t *p, size_t n)
{
    board *const b = &programmer;
    xbp_status status;

    if (n < 8 || p[0] >= N_PASSES)
        return refuse("a part of a program that is none");
    if (XBP_U32(p + 4) == 0) {
        if (p[0] == PASS_CHECK)
            board_start(b);
        b->drive.number = drive->number;
        b->pass = p[0];
        b->begun = 0;
        b->refusal = NULL;
        if (p[0] == PASS_JUDGE && board_read_back(b, 0) != 0)
            return outage(b->outage);
        xbp_init(&b->reader, chip_can(drive->target)->chip_id, board_take, b);
    }
    status = xbp_feed(&b->reader, p + 8, n - 8);
    if (xbp_finish(&b->reader) == XBP_DONE) {
        status = XBP_DONE;
        if (p[0] == PASS_CHECK)
            b->crc = b->reader.crc;
    }
    drive->number = b->drive.number;
    if (b->refusal)
        return refuse(b->refusal);
    put32(answer.byte + HEAD, (uint32_t)(int32_t)status);
    put32(answer.byte + HEAD + 4, b->reader.number);
    put32(answer.byte + HEAD + 8, b->reader.offset);
    put32(answer.byte + HEAD + 12, (uint32_t)b->short_of);
    put32(answer.byte + HEAD + 16, (uint32_t)b->bit_errors);
    n_answer = 20;
    return GOOD;
}

static int counts(void)
{
    const service_figures figures = service_counts();

    put32(answer.byte + HEAD, (uint32_t)figures.pulses);
    put32(answer.byte + HEAD + 4, (uint32_t)(figures.pulses >> 32));
    put32(answer.byte + HEAD + 8, figures.stack);
    n_answer = 12;
    return GOOD;
}

/* -- requests ------------------------------------------------------------------------------------------------------------ */

static int carry_out(unsigned operation, const uint8_t *p, size_t n)
{
    request q;
    const char *wrong;

    n_answer = 0;
    switch (operation) {
    case HELLO:
        return hello();
    case IDLE:
        chip_idle(drive->target);
        return GOOD;
    case PULSE:
    case READ:
        wrong = take_request(&q, p, n);
        if (wrong || (operation == READ) != (q.kind == XBP_KIND_READ))
            return refuse(wrong ? wrong : "a request that is none: a kind of another operation");
        return operation == READ ? read_cells(&q) : pulse(&q);
    case SERVICE_LOAD:
        return load(p, n);
    case SERVICE_INFER:
        return infer(p, n);
    case SERVICE_PROGRAM:
        return program(p, n);
    case SERVICE_COUNTS:
        return counts();
    default:
        return refuse("an operation that is not known");
    }
}

static void take(const uint8_t *p, size_t n)
{
    const uint32_t of = XBP_U32(p + 4);
    const uint16_t number = XBP_U16(p + 2);
    uint8_t body[HEAD + 4];

    if (p[0] == HELLO && (!in_session || of != session)) {
        in_session = 1;
        session = of;
        sequence = 0;
    }
    if (!in_session || of != session) {
        head(body, p[0], NO_SESSION, number, of);
        frame_send(body, HEAD);
        return;
    }
    if (number == (uint16_t)(sequence + 1)) {
        int status;
        sequence = number;
        word_ms = port_ms();
        status = carry_out(p[0], p + HEAD, n - HEAD);
        head(answer.byte, p[0], (unsigned)status, number, of);
    }
    if (number == sequence)
        frame_send(answer.byte, HEAD + n_answer);
    word_ms = port_ms();
}

void service_run(driver *d)
{
    drive = d;
    board_open(&programmer, d->target, d->log, &no_outputs);
    for (;;) {
        const int byte = port_get();
        size_t n;
        if (byte < 0) {
            if (in_session && port_ms() - word_ms >= SILENCE_MS) {
                chip_idle(d->target);
                word_ms = port_ms();
            }
            continue;
        }
        n = frame_take(&receiver, (uint8_t)byte);
        if (n >= HEAD)
            take(receiver.body, n);
    }
}
