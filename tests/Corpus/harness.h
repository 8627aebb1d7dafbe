#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Once, before the threads.
void prepare(void);

// One unit of ordinary work; NULL when all came out as it should, else what did not. Runs in several threads at once.
const char *work(int thread);

// Hands the library what the advisory is about and writes what came of it, one line.
void probe(char *answer, size_t room);

#ifdef __cplusplus
}
#endif
