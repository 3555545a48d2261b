/* measure_port.h: what measure.c asks of a core. */
#ifndef MEASURE_PORT_H
#define MEASURE_PORT_H

#include <stdint.h>

void port_put(uint8_t byte);
uint32_t instructions(void); /* since the start */
uint32_t stack_used(void);   /* most bytes so far */

#endif
