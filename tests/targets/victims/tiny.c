/* A function of three bytes; whether a jump fits depends on what lies behind it. */
#include "victim.h"

NOINLINE int allowed(long x)
{
    (void)x;
#ifdef FIXED
    return x < 100;
#else
    return 0;
#endif
}

NOINLINE int behind(long x) { return (int)x * 3; }

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%d %d", allowed(atol(question)), behind(1)); }
static void hammer(long turn) { (void)turn; }
