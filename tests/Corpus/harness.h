#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Once, before the threads.
void prepare(void);

// One unit of ordinary work; NULL when all came out as it should, else what did not. Runs in several threads at once.
const char *work(int thread);

// Set by prepare() where a child would inherit locks that threads hold; then the input must be harmless to the process.
extern int probe_in_process;

// Hands the library what the advisory is about and writes what came of it, one line.
void probe(char *answer, size_t room);

#ifdef __cplusplus
}
#endif
