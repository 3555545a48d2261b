/* journal.c: see journal.h. */
#define _POSIX_C_SOURCE 200112L /* fcntl, fsync, ftruncate */
#include "journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results.h"
#include "xbp.h"

enum { LINE = 16 * JOURNAL_CELLS };

/* Whether a line is whole; cuts its checksum off. */
static int whole(char *line)
{
    char *const space = strrchr(line, ' ');
    char *end;
    unsigned long crc;

    if (!space || strlen(space) != 10 || space[9] != '\n')
        return 0;
    crc = strtoul(space + 1, &end, 16);
    *space = 0;
    return *end == '\n' && crc == xbp_crc32(0, (const uint8_t *)line, strlen(line));
}

enum { READ_ALONE = CHIP_UNKNOWN + 1 }; /* as `state` of an entry: read back beside any program */

static int add_ended(journal *j, unsigned long failed)
{
    journal_end *const more = realloc(j->ended, (j->n_ended + 1) * sizeof *more);

    if (!more)
        return 0;
    j->ended = more;
    more[j->n_ended].program = j->program;
    more[j->n_ended++].failed = failed;
    return 1;
}

/* Takes the entry that ends a program, or a read-back alone. */
static int take_known(journal *j, const char *line)
{
    unsigned long failed, holds, readback;
    int state;

    if (sscanf(line, "{\"failed\": %lu, \"holds\": \"%8lx\", \"readback\": \"%8lx\", \"state\": %d}", &failed, &holds,
               &readback, &state) != 4 || state < 0 || state > READ_ALONE)
        return 0;
    if (state == READ_ALONE && !j->open)
        state = j->known.state;
    else if (state != READ_ALONE && !(j->open && add_ended(j, failed)))
        return 0;
    else
        j->known.holds = (uint32_t)holds;
    j->known.state = state == READ_ALONE ? CHIP_UNKNOWN : state;
    j->open = j->begun = 0;
    j->known.read = 1;
    j->known.readback = (uint32_t)readback;
    return 1;
}

/* Takes an entry; 0 for one that cannot follow the others. */
static int take(journal *j, const char *line, long end)
{
    unsigned long a, b;

    if (sscanf(line, "{\"program\": \"%8lx\"}", &a) == 1) {
        j->open = 1;
        j->begun = 0;
        j->program = (uint32_t)a;
        j->resumed = 1;
        j->done = 0;
        j->start = end;
    } else if (sscanf(line, "{\"begin\": %lu, \"pulse\": %lu}", &a, &b) == 2) {
        j->begun = 1;
        j->pulse = (uint32_t)b;
        return j->open && a == j->done;
    } else if (sscanf(line, "{\"done\": %lu, ", &a) == 1) {
        j->begun = 0;
        return j->open && a == j->done++;
    } else if (strncmp(line, "{\"failed\"", 9) == 0) {
        return take_known(j, line);
    } else {
        return sscanf(line, "{\"stopped\": %lu}", &a) == 1;
    }
    return 1;
}

static int sync(FILE *file)
{
    return fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/* Appends an entry; with `on_disk`, it is there when this returns. */
static int append(journal *j, int on_disk, const char *text)
{
    char line[LINE + 16];
    int n;

    if (!j->file)
        return 0;
    n = snprintf(line, sizeof line, "%s %08lx\n", text, (unsigned long)xbp_crc32(0, (const uint8_t *)text, strlen(text)));
    if (j->failed || fwrite(line, 1, (size_t)n, j->file) != (size_t)n || (on_disk && !sync(j->file)))
        j->failed = 1;
    return j->failed ? -1 : 0;
}

/* Reads what is there; the end of the last whole line, or -1 with `problem` set. */
static long take_all(journal *j, uint32_t chip_id, const char **problem)
{
    static char line[LINE + 16];
    unsigned long id;
    long end = 0;
    int cut = 0, first = 1;

    *problem = NULL;
    while (!*problem && fgets(line, sizeof line, j->past)) {
        if (!whole(line)) {
            cut = 1;
        } else if (cut) {
            *problem = "damaged before its last line: read the chip back and give a repair";
        } else if (first && sscanf(line, "{\"chip_id\": \"%8lx\"}", &id) != 1) {
            *problem = "not the journal of a chip";
        } else if (first && id != chip_id) {
            *problem = "the journal of another chip";
        } else {
            if (!first && !take(j, line, ftell(j->past)))
                *problem = "entries that do not follow each other: read the chip back and give a repair";
            end = ftell(j->past);
            first = 0;
        }
    }
    if (cut && first && !*problem)
        *problem = "not the journal of a chip";
    return *problem ? -1 : end;
}

/* Whether no other process has this journal. */
static int locked(FILE *file)
{
    struct flock lock;

    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return fcntl(fileno(file), F_SETLK, &lock) == 0;
}

const char *journal_open(journal *j, const char *path, uint32_t chip_id, const chip_known *known)
{
    const char *problem;
    char text[64];
    long end = 0;

    memset(j, 0, sizeof *j);
    j->known = *known;
    if (!path)
        return NULL;
    if (is_device(path))
        return "a pipe or a device: a journal is a file that is read again";
    j->file = fopen(path, "ab");
    j->past = fopen(path, "rb");
    if (!j->file || !j->past)
        return "cannot be opened";
    if (!locked(j->file))
        return "in use by another programmer";
    setvbuf(j->file, NULL, _IONBF, 0);
    end = take_all(j, chip_id, &problem);
    if (problem)
        return problem;
    if (ftruncate(fileno(j->file), end) != 0)
        return "cannot be written";
    if (end == 0) {
        snprintf(text, sizeof text, "{\"chip_id\": \"%08lx\"}", (unsigned long)chip_id);
        append(j, 1, text);
    } else if (j->open) {
        snprintf(text, sizeof text, "{\"stopped\": %lu}", (unsigned long)j->done);
        append(j, 1, text);
    }
    return j->failed ? "cannot be written" : NULL;
}

void journal_close(journal *j)
{
    if (j->file)
        fclose(j->file);
    if (j->past)
        fclose(j->past);
    free(j->ended);
    memset(j, 0, sizeof *j);
}

int journal_program(journal *j, uint32_t crc)
{
    char text[64];

    if (!j->open || j->program != crc) {
        j->open = 1;
        j->program = crc;
        j->done = 0;
        j->resumed = j->begun = 0;
        snprintf(text, sizeof text, "{\"program\": \"%08lx\"}", (unsigned long)crc);
        return append(j, 1, text);
    }
    j->cut = 0;
    return j->past && fseek(j->past, j->start, SEEK_SET) != 0 ? -1 : 0;
}

int journal_begin(journal *j, uint32_t step, uint32_t pulse)
{
    char text[64];

    snprintf(text, sizeof text, "{\"begin\": %lu, \"pulse\": %lu}", (unsigned long)step, (unsigned long)pulse);
    return append(j, step % JOURNAL_BLOCK == 0 && pulse == 0, text);
}

int journal_uncertain(const journal *j, uint32_t step)
{
    return j->resumed && step >= j->done && step / JOURNAL_BLOCK == j->done / JOURNAL_BLOCK;
}

int journal_done(journal *j, uint32_t step, size_t n, const uint16_t *pulses, const uint8_t *failed)
{
    char text[LINE];
    size_t k, at;
    int comma = 0;

    if (!j->file)
        return 0;
    at = (size_t)snprintf(text, sizeof text, "{\"done\": %lu, \"failed\": [", (unsigned long)step);
    for (k = 0; k < n; k++)
        if (failed[k]) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", comma ? ", " : "", (unsigned)k);
            comma = 1;
        }
    at += (size_t)snprintf(text + at, sizeof text - at, "], \"pulses\": [");
    for (k = 0; k < n; k++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", k ? ", " : "", (unsigned)pulses[k]);
    snprintf(text + at, sizeof text - at, "]}");
    return append(j, 0, text);
}

int journal_known(journal *j, const chip_known *known, unsigned long failed)
{
    char text[128];

    j->known = *known;
    j->open = j->begun = 0;
    snprintf(text, sizeof text, "{\"failed\": %lu, \"holds\": \"%08lx\", \"readback\": \"%08lx\", \"state\": %d}", failed,
             (unsigned long)known->holds, (unsigned long)known->readback, known->state);
    return append(j, 1, text);
}

int journal_readback(journal *j, uint32_t readback)
{
    chip_known known = j->known;
    const int state = j->open ? CHIP_UNKNOWN : known.state;
    int result;

    known.state = READ_ALONE;
    known.read = 1;
    known.readback = readback;
    result = journal_known(j, &known, 0);
    j->known.state = state;
    return result;
}

int journal_past(journal *j, uint32_t step, size_t n, uint16_t *pulses, uint8_t *failed, int *stopped)
{
    static char line[LINE + 16];
    unsigned long number;
    char *at;
    size_t k;

    memset(failed, 0, n);
    while (j->past && fgets(line, sizeof line, j->past)) {
        if (sscanf(line, "{\"stopped\": %lu}", &number) == 1) {
            j->cut = 1;
            j->cut_at = (uint32_t)number;
        }
        if (sscanf(line, "{\"done\": %lu, ", &number) != 1)
            continue;
        *stopped = j->cut && step / JOURNAL_BLOCK == j->cut_at / JOURNAL_BLOCK;
        at = strchr(line, '[');
        for (at = at ? at + 1 : line; *at >= '0' && *at <= '9'; at += strspn(at, ", ")) {
            const unsigned long place = strtoul(at, &at, 10);
            if (place >= n)
                return -1;
            failed[place] = 1;
        }
        at = strstr(line, "\"pulses\": [");
        if (!at || number != step)
            return -1;
        at += 11;
        for (k = 0; k < n && *at >= '0' && *at <= '9'; k++, at += strspn(at, ", "))
            pulses[k] = (uint16_t)strtoul(at, &at, 10);
        return k == n && *at == ']' ? 0 : -1;
    }
    return -1;
}
