/* Two functions of the same code that nobody calls by name: without symbols nothing says which is which. */
#include "victim.h"

static NOINLINE __attribute__((no_icf)) long upper(long x)
{
#ifdef FIXED
    if (x > 100) return -1;
#endif
    return x * 13 + 1;
}

static NOINLINE __attribute__((no_icf)) long lower(long x) { return x * 13 + 1; }

static long (*volatile doors[])(long) = { upper, lower };

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld %ld", doors[0](atol(question)), doors[1](atol(question))); }
static void hammer(long turn) { (void)turn; }
