/* port.h: the three functions that a board brings for the line. They and those of chip.h are all that depends on the board. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

/* The next byte that came in, or -1: it does not wait. */
int port_get(void);

/* Sends a byte; waits while the line is busy. */
void port_put(uint8_t byte);

/* Milliseconds since any moment. */
uint32_t port_ms(void);

#endif
