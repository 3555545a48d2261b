/* avr.c: the reader where int has 16 bits. Runs in simavr: `bytes.h` holds files and verdicts (written by the test); sends "good" or the
 * number of the first file with another verdict, from 1000. */
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>

#include "../../xbp.h"
#include "bytes.h"

static void put(char letter)
{
    while (!(UCSR0A & 1 << UDRE0))
        ;
    UDR0 = (uint8_t)letter;
}

int main(void)
{
    static xbp_reader reader;
    uint16_t at = 0;
    uint16_t k;

    UCSR0B = 1 << TXEN0;
    for (k = 0; k < N_FILES; k++) {
        const uint16_t size = pgm_read_word(&sizes[k]);
        uint16_t i;

        xbp_init(&reader, CHIP_ID, NULL, NULL);
        for (i = 0; i < size; i++) {
            const uint8_t byte = pgm_read_byte(bytes + at + i);
            xbp_feed(&reader, &byte, 1);
        }
        at = (uint16_t)(at + size);
        if (xbp_finish(&reader) != (int8_t)pgm_read_byte(&verdicts[k]))
            break;
    }
    if (k == N_FILES)
        for (at = 0; at < 5; at++)
            put("good\n"[at]);
    else
        for (k = (uint16_t)(k + 1000u), at = 1000; at; at /= 10)
            put((char)('0' + k / at % 10));
    put('\n');
    sleep_cpu();
    return 0;
}
