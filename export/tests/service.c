/* service.c: the firmware's service on this machine, a chip in memory, the line on two descriptors.
 *
 *     service MAP.npy SEED        reads the line from standard input, writes it to standard output; ends at its end
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../chip_virtual.h"
#include "../firmware/port.h"
#include "../firmware/service.h"
#include "../xbp.h"

static driver drive;

int port_get(void)
{
    static struct pollfd line = { STDIN_FILENO, POLLIN, 0 };
    uint8_t byte;

    if (poll(&line, 1, 10) <= 0)
        return -1;
    if (read(STDIN_FILENO, &byte, 1) != 1)
        exit(0);
    return byte;
}

void port_put(uint8_t byte)
{
    if (write(STDOUT_FILENO, &byte, 1) != 1)
        exit(0);
}

uint32_t port_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

service_figures service_counts(void)
{
    service_figures figures = { 0, 0 };

    figures.pulses = drive.pulses[XBP_KIND_FORM] + drive.pulses[XBP_KIND_SET] + drive.pulses[XBP_KIND_RESET];
    return figures;
}

int main(int argc, char **argv)
{
    static journal none;
    const char *wrong;
    npy_map map;

    if (argc != 2)
        return 2;
    wrong = npy_read(argv[1], &map);
    if (!wrong)
        wrong = chip_open(&drive.target, &map, 0);
    if (wrong) {
        fprintf(stderr, "%s: %s\n", argv[1], wrong);
        return 2;
    }
    chip_board(drive.target, CHIP_LINE, 0);
    drive.log = &none;
    service_run(&drive);
    return 0;
}
