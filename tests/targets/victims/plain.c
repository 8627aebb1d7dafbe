/* A length check that is off by a lot: the smallest fix there is. */
#include "victim.h"

static char pantry[64];

NOINLINE int store(const char *what, long length)
{
#ifdef FIXED
    if (length < 0 || length > (long)sizeof pantry) return -1;
#else
    if (length < 0 || length > 4096) return -1;
#endif
    pantry[0] = what[0];
    return (int)length;
}

static void answer(const char *question, char *out, size_t room)
{
    int stored = store(question, atol(question));
    snprintf(out, room, stored < 0 ? "refused" : "stored %d", stored);
}

static void hammer(long turn)
{
    if (store("x", turn % 64) != turn % 64) abort();
}
