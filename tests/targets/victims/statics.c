/* Static locals of one name. The fix adds another one in front, so that the compiler numbers them anew. */
#include "victim.h"

#ifdef FIXED
long refused(void);
#endif

NOINLINE long first(long by) { static long n = 100; return n += by; }

NOINLINE long second(long by)
{
    static long n = 200;
#ifdef FIXED
    if (by > 9) return refused();
#endif
    return n += by;
}

#ifdef FIXED
NOINLINE long refused(void) { static long n = 1000; return ++n; }
#endif

static void answer(const char *question, char *out, size_t room)
{
    long by = atol(question + 1);
    snprintf(out, room, "%ld", question[0] == 'f' ? first(by) : second(by));
}

static void hammer(long turn) { (void)turn; }
