/* A leaf that the fix makes use more registers, and a caller of the same file that stays as it is. */
#include "victim.h"

static NOINLINE long leaf(long x)
{
#ifdef FIXED
    long a = x, b = x * 3, c = x * 5, d = x * 7;
    for (long i = 0; i < (x & 7); i++) { long t = a; a = b ^ i; b = c + t; c = d - i; d = t * c; }
    return a + b + c + d;
#else
    return x + 1;
#endif
}

NOINLINE long caller(long x, long y, long z)
{
    return leaf(x) + y * 2 + z * 3 + leaf(y) + x + leaf(z) + y;
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", caller(atol(question), 2, 3)); }
static void hammer(long turn) { (void)turn; }
