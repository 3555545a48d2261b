/* keeps_nothing.c: the journal and the outputs of a board without files. The host keeps the journal (`minirram bench`). */
#include "../journal.h"
#include "../results.h"

int journal_program(journal *j, uint32_t crc)
{
    (void)j;
    (void)crc;
    return 0;
}

int journal_begin(journal *j, uint32_t step, uint32_t pulse)
{
    (void)j;
    (void)step;
    (void)pulse;
    return 0;
}

int journal_done(journal *j, uint32_t step, size_t n, const uint16_t *pulses, const uint8_t *failed)
{
    (void)j;
    (void)step;
    (void)n;
    (void)pulses;
    (void)failed;
    return 0;
}

int journal_uncertain(const journal *j, uint32_t step)
{
    (void)j;
    (void)step;
    return 0;
}

int journal_past(journal *j, uint32_t step, size_t n, uint16_t *pulses, uint8_t *failed, int *stopped)
{
    (void)j;
    (void)step;
    (void)n;
    (void)pulses;
    (void)failed;
    (void)stopped;
    return -1;
}

void outputs_outdated(const outputs *o)
{
    (void)o;
}
