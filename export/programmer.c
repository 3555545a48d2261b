/* programmer.c: an example chip programmer. It runs program files on a chip behind chip.h, here the virtual one.
 *
 *     programmer --chip MAP.npy [--formed] [--faults FILE] [--memory FILE] [--journal FILE] [--out READBACK.npy] [--read-all]
 *                [--cells CELLS.npz] [--manifest MANIFEST.json] [--digital DIGITAL.json] PROGRAM.xbp ...
 *
 * Each file is read three times: the first pass checks everything against the limits of recipe.h and board.h without touching
 * the chip, the second acts, the third compares what was read back. A file with good checksums is not trusted: what a recipe may
 * ask for is decided at compile time; the defaults suit 40 nm TaOx cells, other technologies form or switch at higher voltages
 * (-DLIMIT_CELL_MV=5000 and so on). Conductance targets are for the host that verifies; the programmer stops pulsing a cell by
 * the thresholds of its tile alone.
 *
 * With --journal, it goes on where a stop was: give the same command again. The virtual chip then needs --memory, too: it
 * is what it was when the programmer stopped.
 *
 * Exit status: 0 all programs ran, 1 they ran and some cells are not what they should be (they are listed), 2 command line or
 * files that cannot be read or written, 3 a program was refused: its error class is named, 4 the board gives no answer, 5 stopped by
 * a signal (Ctrl-C).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "chip_virtual.h"
#include "npy.h"
#include "xbp.h"

enum { GOOD, FAILED, BAD_FILES, REFUSED, SILENT, STOPPED };

typedef struct {
    const char *map, *faults, *memory, *journal;
    outputs out;
    int formed, read_all;
    char **programs;
    int n_programs;
} options;

static int complain(const char *path, const char *problem)
{
    fprintf(stderr, "%s: %s\n", path, problem);
    return BAD_FILES;
}

static xbp_status stream(FILE *file, board *b)
{
    uint8_t chunk[512];
    size_t n;

    rewind(file);
    xbp_init(&b->reader, chip_can(b->drive.target)->chip_id, board_take, b);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (xbp_feed(&b->reader, chunk, n) != XBP_OK)
            break;
    return xbp_finish(&b->reader);
}

/* What to say of a program that did not end; the exit status. */
static int stopped(const board *b, FILE *file, const char *path, xbp_status status)
{
    static const char *const names[] = XBP_ERROR_NAMES;

    if (b->pass == PASS_ACT && b->begun)
        fprintf(stderr, "%s: stopped between pulses: the state of the chip is unknown%s\n", path,
                b->drive.log->file ? "; the same command goes on" : "");
    if (ferror(file))
        return complain(path, "cannot be read");
    if (b->outage == DRIVE_NO_JOURNAL)
        return complain(path, "the journal does not fit it or cannot be written");
    if (b->outage == DRIVE_STOPPED)
        return STOPPED;
    if (b->outage != DRIVE_DONE) {
        fprintf(stderr, "%s: %s\n", path, b->outage == DRIVE_SILENT ? "no answer from the board" : "the board refused a pulse");
        return SILENT;
    }
    fprintf(stderr, "%s: refused: %s in record %lu at byte %lu%s%s\n", path, names[-(int)status],
            (unsigned long)b->reader.number, (unsigned long)b->reader.offset, b->refusal ? ": " : "",
            b->refusal ? b->refusal : "");
    return REFUSED;
}

/* What was done, and the cells that failed. */
static int report(board *b, const char *path, int state)
{
    static const char *const why[] = { "", "on", "off", "not read" };
    const cell_results *const r = &b->results;
    const size_t cells = r->macros * r->rows * r->cols;
    size_t i;

    for (b->failed = 0, i = 0; i < cells; i++)
        b->failed += r->failure[i] != FAILED_NOT;
    printf("%s: program %08lx: %lu FORM, %lu SET, %lu RESET pulses, %lu reads, %lu cells short of their threshold%s\n", path,
           (unsigned long)b->crc, b->drive.pulses[XBP_KIND_FORM], b->drive.pulses[XBP_KIND_SET],
           b->drive.pulses[XBP_KIND_RESET], b->drive.pulses[XBP_KIND_READ], b->short_of,
           state == CHIP_UNKNOWN ? "; the state of the chip is unknown" : "");
    if (b->drive.again)
        printf("%s: %lu commands were given again after a lost or damaged reply\n", path, b->drive.again);
    if (b->drive.uncertain)
        printf("%s: went on after a stop: %lu cells may have got a pulse that is not counted\n", path, b->drive.uncertain);
    if (b->failed)
        printf("%s: %lu of %lu cells failed:\n", path, b->failed, b->checked);
    for (i = 0; i < cells; i++)
        if (r->failure[i] != FAILED_NOT)
            printf("  macro %lu row %lu col %lu: %s\n", (unsigned long)(i / r->cols / r->rows),
                   (unsigned long)(i / r->cols % r->rows), (unsigned long)(i % r->cols), why[r->failure[i]]);
    return b->failed ? FAILED : GOOD;
}

/* Writes the results of a program that ended, then the journal; the exit status. */
static int finish(board *b, const char *path)
{
    const chip_known known = board_settled(b);
    const bound facts = { chip_can(b->drive.target)->name, path, chip_can(b->drive.target)->chip_id, b->base_state,
                          b->new_state, known.readback, b->checked, b->bit_errors };
    const int status = report(b, path, known.state);
    const char *const unwritten = outputs_write(b->out, &b->results, &facts);

    if (unwritten)
        return complain(unwritten, "cannot be written");
    if (journal_program(b->drive.log, b->crc) != 0 || journal_known(b->drive.log, &known, b->failed) != 0)
        return complain(path, "the journal cannot be written");
    return status;
}

/* All passes over an open file; the exit status. ended: an earlier run of the same command ended it, or NULL. */
static int run_passes(board *b, FILE *file, const char *path, const journal_end *ended)
{
    xbp_status status = XBP_OK;

    for (b->pass = PASS_CHECK; b->pass < N_PASSES; b->pass++) {
        const uint32_t crc = b->crc;
        b->begun = 0;
        status = stream(file, b);
        if (b->state_refused && ended) {
            printf("%s: done already\n", path);
            return ended->failed ? FAILED : GOOD;
        }
        if (status == XBP_DONE && b->pass != PASS_CHECK && crc != b->reader.crc) {
            b->refusal = "another file than the one that was checked";
            status = XBP_E_SINK;
        }
        if (status != XBP_DONE || ferror(file))
            return stopped(b, file, path, status);
        b->crc = b->reader.crc;
        if (b->pass == PASS_ACT && board_read_back(b, 0) != 0)
            return stopped(b, file, path, status);
    }
    return finish(b, path);
}

/* The CRC of a program: the last four bytes of its file. 0, or -1 when it cannot be read. */
static int crc_of(FILE *file, uint32_t *crc)
{
    uint8_t raw[4] = { 0 };

    *crc = 0;
    if (fseek(file, -4, SEEK_END) == 0 && fread(raw, 1, sizeof raw, file) == sizeof raw)
        *crc = XBP_U32(raw);
    fseek(file, 0, SEEK_SET);
    return ferror(file) ? -1 : 0;
}

/* What is known of the chip before the program of this CRC. */
static chip_known known_before(const journal *log, uint32_t crc)
{
    chip_known known = log->known;

    if (log->open && log->program != crc) {
        known.state = CHIP_UNKNOWN; /* another program was stopped */
        known.read = 0;
    }
    return known;
}

/* Runs one program file; the exit status. ended: as above. */
static int run(board *b, const char *path, const journal_end *ended)
{
    FILE *const file = fopen(path, "rb");
    const char *unwritten;
    uint32_t crc;
    int status;

    if (!file)
        return complain(path, "cannot be opened");
    board_start(b);
    unwritten = outputs_open(b->out);
    if (unwritten) {
        status = complain(unwritten, "cannot be written");
    } else if (crc_of(file, &crc) != 0) {
        status = complain(path, "cannot be read");
    } else {
        b->known = known_before(b->drive.log, crc);
        status = run_passes(b, file, path, ended);
    }
    outputs_drop(b->out);
    fclose(file);
    return status;
}

/* Whether all programs are there, and their outputs where they may be; the exit status. */
static int check_files(const options *o)
{
    int i;

    for (i = 0; i < o->n_programs; i++) {
        const int device = is_device(o->programs[i]);
        FILE *const file = device ? NULL : fopen(o->programs[i], "rb");
        const char *const wrong = outputs_check(&o->out, o->programs[i]);
        if (file)
            fclose(file);
        if (device)
            return complain(o->programs[i], "a pipe or a device: a program is read three times");
        if (!file || wrong)
            return complain(o->programs[i], wrong ? wrong : "cannot be opened");
    }
    return GOOD;
}

/* How many of the programs an earlier run of the same command ended: the last ones in the journal are the first ones here. */
static int ended_before(const journal *log, const uint32_t *crcs, int n)
{
    int k;

    for (; n > 0; n--) {
        for (k = 0; k < n && (size_t)n <= log->n_ended; k++)
            if (log->ended[log->n_ended - (size_t)n + (size_t)k].program != crcs[k])
                break;
        if (k == n)
            return n;
    }
    return 0;
}

/* Checks the programs from `from` on before the first pulse of any: each against the limits, and against what those before it
 * lead to. A chip that one must find as it was read back is looked at in its turn. The exit status. */
static int check_all(board *b, const options *o, int from, uint32_t first_crc)
{
    chip_known known = known_before(b->drive.log, first_crc);
    int i, status = GOOD;

    for (i = from; i < o->n_programs && status == GOOD; i++) {
        FILE *const file = fopen(o->programs[i], "rb");
        xbp_status said;
        if (!file)
            return complain(o->programs[i], "cannot be opened");
        board_start(b);
        b->known = known;
        b->ahead = i > from;
        b->pass = PASS_CHECK;
        said = stream(file, b);
        if (said != XBP_DONE || ferror(file))
            status = stopped(b, file, o->programs[i], said);
        known = board_settled(b);
        known.read = 0;
        fclose(file);
    }
    return status;
}

/* Runs all programs in order, until one does not run; the exit status. */
static int run_all(board *b, const options *o)
{
    uint32_t *const crcs = calloc((size_t)o->n_programs + 1, sizeof *crcs);
    const journal *const log = b->drive.log;
    const size_t n_ended = log->n_ended;
    int i, ended, status = crcs ? GOOD : BAD_FILES, one;

    for (i = 0; i < o->n_programs && status == GOOD; i++) {
        FILE *const file = fopen(o->programs[i], "rb");
        if (!file || crc_of(file, &crcs[i]) != 0)
            status = complain(o->programs[i], "cannot be read");
        if (file)
            fclose(file);
    }
    ended = status == GOOD ? ended_before(log, crcs, o->n_programs) : 0;
    if (status == GOOD && o->n_programs - ended > 1)
        status = check_all(b, o, ended, crcs[ended]);
    for (i = 0; i < o->n_programs && status <= FAILED; i++) {
        one = run(b, o->programs[i], i < ended ? &log->ended[n_ended - (size_t)(ended - i)] : NULL);
        status = one > status ? one : status;
    }
    free(crcs);
    return status;
}

/* Reads the chip back, without a program; the exit status. A manifest is of an earlier read-back then, and goes away. */
static int read_alone(board *b)
{
    const char *unwritten;

    board_start(b);
    b->known = b->drive.log->known;
    if (b->out->manifest)
        remove(b->out->manifest);
    b->out->manifest = b->out->cells = NULL;
    unwritten = outputs_open(b->out);
    if (!unwritten && board_read_back(b, 1) != 0) {
        outputs_drop(b->out);
        fputs("no read-back: stopped, or no answer from the board\n", stderr);
        return drive_stop ? STOPPED : SILENT;
    }
    if (!unwritten)
        unwritten = outputs_write(b->out, &b->results, NULL);
    outputs_drop(b->out);
    if (unwritten)
        return complain(unwritten, "cannot be written");
    if (journal_readback(b->drive.log, board_readback_id(b)) != 0)
        return complain("journal", "cannot be written");
    printf("read back: %08lx\n", (unsigned long)board_readback_id(b));
    return GOOD;
}

static int usage(void)
{
    fputs("usage: programmer --chip MAP.npy [options] PROGRAM.xbp ...\n"
          "  --chip      as-formed map of the chip, siemens, (macros, rows, cols) or (rows, cols)\n"
          "  --formed    the chip is formed already\n"
          "  --faults    fault script, a line each: macro row col stuck_on|stuck_off, and what README.md lists\n"
          "  --memory    file in which the virtual chip keeps what it is\n"
          "  --journal   file that says what was done: the same command goes on after a stop\n"
          "  --out       where to write what the cells conduct afterwards; without a program, they are only read\n"
          "  --read-all  read all cells back, not only those of the masks and those with a pulse\n"
          "  --cells     where to write the pulses, last read and failure of each cell (.npz)\n"
          "  --manifest  where to write what binds program, read-back and cells, in one folder (.json)\n"
          "  --digital   digital.json to bind, too\n", stderr);
    return BAD_FILES;
}

/* 0, or -1 when the command line is none. */
static int take_options(options *o, int argc, char **argv)
{
    struct {
        const char *name, **value;
    } const known[] = {
        { "--chip", &o->map },           { "--faults", &o->faults },          { "--memory", &o->memory },
        { "--journal", &o->journal },    { "--out", &o->out.readback },       { "--cells", &o->out.cells },
        { "--manifest", &o->out.manifest }, { "--digital", &o->out.digital },
    };
    size_t k;
    int i;

    memset(o, 0, sizeof *o);
    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--formed") == 0 || strcmp(argv[i], "--read-all") == 0) {
            *(strcmp(argv[i], "--formed") == 0 ? &o->formed : &o->read_all) = 1;
            continue;
        }
        for (k = 0; k < sizeof known / sizeof *known && strcmp(argv[i], known[k].name) != 0; k++)
            ;
        if (k == sizeof known / sizeof *known || ++i == argc)
            return -1;
        *known[k].value = argv[i];
    }
    o->programs = argv + i;
    o->n_programs = argc - i;
    return o->map && (o->n_programs || o->out.readback) ? 0 : -1;
}

/* The virtual chip of the options; the exit status. */
static int open_chip(const options *o, chip **c)
{
    npy_map map;
    unsigned long line;
    long planted;
    const char *problem = npy_read(o->map, &map);

    *c = NULL;
    if (problem)
        return complain(o->map, problem);
    problem = chip_open(c, &map, o->formed);
    free(map.values);
    if (problem)
        return complain(o->map, problem);
    problem = !o->memory ? NULL : is_device(o->memory) ? "a pipe or a device" : chip_keep(*c, o->memory);
    if (problem)
        return complain(o->memory, problem);
    if (!o->faults)
        return GOOD;
    planted = chip_script(*c, o->faults, &line);
    if (planted < 0) {
        fprintf(stderr, "%s: line %lu: expected lines of: macro row col stuck_on|stuck_off, cells of this chip, or a named fault\n",
                o->faults, line);
        return BAD_FILES;
    }
    printf("%s: %ld faults planted\n", o->faults, planted);
    return GOOD;
}

static void stop(int number)
{
    (void)number;
    drive_stop = 1;
}

int main(int argc, char **argv)
{
    static board b;
    options o;
    chip *c = NULL;
    journal log;
    chip_known known = { CHIP_UNFORMED, 0, 0, 0 };
    const char *problem;
    int status;

    if (take_options(&o, argc, argv) != 0)
        return usage();
    memset(&log, 0, sizeof log);
    known.state = o.formed ? CHIP_FORMED : CHIP_UNFORMED;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    status = check_files(&o);
    if (status == GOOD)
        status = open_chip(&o, &c);
    if (status == GOOD) {
        problem = journal_open(&log, o.journal, chip_can(c)->chip_id, &known);
        if (problem)
            status = complain(o.journal, problem);
    }
    if (status == GOOD) {
        problem = board_open(&b, c, &log, &o.out);
        b.read_all = o.read_all;
        status = problem ? complain(o.map, problem) : o.n_programs ? run_all(&b, &o) : read_alone(&b);
        board_close(&b);
        chip_idle(c);
    }
    journal_close(&log);
    chip_close(c);
    return status;
}
