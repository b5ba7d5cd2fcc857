// In place of OpenSSL's header: the one function of it that framing calls, defined in stub.c.

#ifndef ESPALIER_FUZZ_CRYPTO_H
#define ESPALIER_FUZZ_CRYPTO_H

#include <stddef.h>

int CRYPTO_memcmp(const void *a, const void *b, size_t size);

#endif
