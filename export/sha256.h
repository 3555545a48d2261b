/* sha256.h: SHA-256 (FIPS 180-4), for the digests that bind files to each other. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} sha256;

void sha256_init(sha256 *s);
void sha256_add(sha256 *s, const void *data, size_t n);
/* The digest as 64 hexadecimal digits and a zero. */
void sha256_text(sha256 *s, char text[65]);
/* That of a file; 0, or -1 when it cannot be read. */
int sha256_file(const char *path, char text[65]);

#endif
