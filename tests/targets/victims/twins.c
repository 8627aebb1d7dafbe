/* Two static locals of one name and size in one function: no one can tell which is which once the numbers shift. */
#include "victim.h"

NOINLINE long both(long which, long by)
{
#ifdef FIXED
    if (by > 9) { static long n = 1000; return ++n; }
#endif
    if (which) { static long n = 100; return n += by; }
    else { static long n = 200; return n += by; }
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", both(question[0] == 'f', atol(question + 1))); }
static void hammer(long turn) { (void)turn; }
