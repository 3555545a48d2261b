/* results.c: see results.h. */
#define _POSIX_C_SOURCE 200112L /* stat */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "npy.h"
#include "sha256.h"
#include "xbp.h"

enum { NAME = 1024, LOCAL = 30, CENTRAL = 46, N_MEMBERS = 4 };

static const char *path_of(const outputs *o, int i)
{
    return i == 0 ? o->readback : i == 1 ? o->cells : o->manifest;
}

static const char *part(const char *path, char name[NAME])
{
    return (size_t)snprintf(name, NAME, "%s.part", path) < NAME ? name : NULL;
}

int is_device(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
}

/* Where the last part of a path starts. */
static size_t folder(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int beside(const char *path, const char *manifest)
{
    return folder(path) == folder(manifest) && memcmp(path, manifest, folder(path)) == 0;
}

static int plain(const char *path)
{
    for (; *path; path++)
        if (*path < ' ' || *path > '~' || *path == '"' || *path == '\\')
            return 0;
    return 1;
}

const char *outputs_check(const outputs *o, const char *program)
{
    const char *const paths[] = { o->readback, o->cells, o->digital, program };
    size_t i;

    if (!o->manifest)
        return o->digital ? "--digital is for a --manifest" : NULL;
    if (!o->readback || !o->cells)
        return "--manifest binds a read-back and the cells: give --out and --cells, too";
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (paths[i] && !beside(paths[i], o->manifest))
            return "a manifest binds files of its own folder alone: all of them lie beside it";
        if (paths[i] && !plain(paths[i] + folder(paths[i])))
            return "a manifest takes names of plain ASCII without quotes";
    }
    return NULL;
}

const char *outputs_open(outputs *o)
{
    char name[NAME];
    int i;

    for (i = 0; i < 3; i++) {
        const char *const path = path_of(o, i);
        o->file[i] = NULL;
        if (!path)
            continue;
        if (!is_device(path) && part(path, name))
            o->file[i] = fopen(name, "wb");
        if (!o->file[i])
            return path;
    }
    return NULL;
}

void outputs_outdated(const outputs *o)
{
    int i;

    for (i = 2; i >= 0; i--) /* the manifest first: it speaks for the others */
        if (path_of(o, i))
            remove(path_of(o, i));
}

void outputs_drop(outputs *o)
{
    char name[NAME];
    int i;

    for (i = 0; i < 3; i++) {
        if (!o->file[i])
            continue;
        fclose(o->file[i]);
        o->file[i] = NULL;
        if (part(path_of(o, i), name))
            remove(name);
    }
}

/* Gives an output its name, or takes away what could not be written. */
static int finish(outputs *o, int i, int good)
{
    char name[NAME];
    const int closed = fclose(o->file[i]) == 0, named = part(path_of(o, i), name) != NULL;

    o->file[i] = NULL;
    if (good && closed && named && rename(name, path_of(o, i)) == 0)
        return 1;
    if (named)
        remove(name);
    return 0;
}

static void put(uint8_t *p, uint64_t value, int n)
{
    while (n--) {
        *p++ = (uint8_t)value;
        value >>= 8;
    }
}

static double siemens(uint32_t nS)
{
    return nS == CELL_UNREAD ? NAN : nS * 1e-9;
}

/* A member of the .npz: its header and values, for the caller to free. */
static uint8_t *member(const cell_results *r, int which, size_t *size)
{
    static const char *const descr[N_MEMBERS] = { "<u4", "<f8", "|u1", "|b1" };
    static const int bytes[N_MEMBERS] = { 4, 8, 1, 1 };
    const npy_map map = { r->macros, r->rows, r->cols, NULL };
    const size_t cells = r->macros * r->rows * r->cols;
    uint8_t *const data = malloc(NPY_HEADER + cells * (size_t)bytes[which]);
    uint8_t *p;
    size_t i;

    if (!data)
        return NULL;
    *size = NPY_HEADER + cells * (size_t)bytes[which];
    npy_header(data, descr[which], &map);
    for (i = 0, p = data + NPY_HEADER; i < cells; i++, p += bytes[which]) {
        uint64_t value = which == 0 ? r->pulses[i] : which == 2 ? r->failure[i] : r->interrupted[i];
        if (which == 1) {
            const double S = siemens(r->nS[i]);
            memcpy(&value, &S, sizeof value);
        }
        put(p, value, bytes[which]);
    }
    return data;
}

/* An .npz is a ZIP archive of .npy files, stored as they are. */
static int put_cells(FILE *file, const cell_results *r)
{
    static const char *const names[N_MEMBERS] = { "pulses.npy", "last_read_S.npy", "failure.npy", "interrupted.npy" };
    uint8_t directory[N_MEMBERS * (CENTRAL + 16)], end[22] = { 'P', 'K', 5, 6 }, *d = directory;
    size_t at = 0, size = 0;
    int i, good = 1;

    memset(directory, 0, sizeof directory);
    for (i = 0; good && i < N_MEMBERS; i++) {
        uint8_t *const data = member(r, i, &size), local[LOCAL] = { 'P', 'K', 3, 4, 20 };
        const size_t length = strlen(names[i]);
        if (!data || size > 0xFFFFFFF0u - at) {
            free(data);
            return 0;
        }
        put(local + 12, 0x21, 2); /* 1980-01-01: the same results give the same bytes */
        put(local + 14, xbp_crc32(0, data, size), 4);
        put(local + 18, size, 4);
        put(local + 22, size, 4);
        put(local + 26, length, 2);
        good = fwrite(local, 1, LOCAL, file) == LOCAL && fwrite(names[i], 1, length, file) == length
            && fwrite(data, 1, size, file) == size;
        memcpy(d, "PK\1\2\24", 5);
        memcpy(d + 6, local + 4, LOCAL - 4);
        put(d + 42, at, 4);
        memcpy(d + CENTRAL, names[i], length);
        d += CENTRAL + length;
        at += LOCAL + length + size;
        free(data);
    }
    put(end + 8, N_MEMBERS, 2);
    put(end + 10, N_MEMBERS, 2);
    put(end + 12, (uint64_t)(d - directory), 4);
    put(end + 16, at, 4);
    return good && fwrite(directory, 1, (size_t)(d - directory), file) == (size_t)(d - directory)
        && fwrite(end, 1, sizeof end, file) == sizeof end;
}

static int put_readback(FILE *file, const cell_results *r)
{
    const size_t cells = r->macros * r->rows * r->cols;
    npy_map map = { r->macros, r->rows, r->cols, NULL };
    size_t i;
    int good;

    map.values = malloc(cells * sizeof *map.values);
    if (!map.values)
        return 0;
    for (i = 0; i < cells; i++)
        map.values[i] = siemens(r->nS[i]);
    good = npy_put(file, &map) == 0;
    free(map.values);
    return good;
}

/* {"file":..,"sha256":..} of one file, or null. */
static int one_bound(const char *path, char text[NAME])
{
    char digest[65];

    if (!path)
        return snprintf(text, NAME, "null") > 0;
    return sha256_file(path, digest) == 0
        && (size_t)snprintf(text, NAME, "{\"file\":\"%s\",\"sha256\":\"%s\"}", path + folder(path), digest) < NAME;
}

/* The manifest as canonical JSON (keys sorted, no spaces), whose SHA-256 is its seal. */
static int put_manifest(FILE *file, const outputs *o, const bound *b)
{
    static char text[8 * NAME];
    char cells[NAME], digital[NAME], program[NAME], readback[NAME], seal[65];
    const char *split;
    sha256 s;

    if (!one_bound(o->cells, cells) || !one_bound(o->digital, digital) || !one_bound(b->program, program)
        || !one_bound(o->readback, readback))
        return 0;
    snprintf(text, sizeof text,
             "{\"base_state\":\"%08lx\",\"bench\":\"%s\",\"bit_errors\":%lu,\"cells\":%s,\"checked\":%lu,\"chip_id\":\"%08lx\","
             "\"digital\":%s,\"format\":1,\"minirram\":\"export/programmer.c\",\"new_state\":\"%08lx\",\"program\":%s,"
             "\"readback\":%s,\"readback_id\":\"%08lx\"}",
             (unsigned long)b->base_state, b->bench, b->bit_errors, cells, b->checked, (unsigned long)b->chip_id, digital,
             (unsigned long)b->new_state, program, readback, (unsigned long)b->readback_id);
    sha256_init(&s);
    sha256_add(&s, text, strlen(text));
    sha256_text(&s, seal);
    split = text + strlen(text) - 1;
    return fprintf(file, "%.*s,\"seal\":\"%s\"}\n", (int)(split - text), text, seal) > 0;
}

const char *outputs_write(outputs *o, const cell_results *r, const bound *facts)
{
    if (o->file[0] && !finish(o, 0, put_readback(o->file[0], r)))
        return o->readback;
    if (o->file[1] && !finish(o, 1, put_cells(o->file[1], r)))
        return o->cells;
    if (o->file[2] && !finish(o, 2, put_manifest(o->file[2], o, facts)))
        return o->manifest;
    return NULL;
}
