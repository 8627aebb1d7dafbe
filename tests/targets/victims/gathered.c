/* Two functions in one section, as an attribute puts them: where the first ends is not for the linker to know. */
#include "victim.h"

#define GATHERED __attribute__((section("gathered"), noinline, noclone))

GATHERED long first(long x)
{
#ifdef FIXED
    return x > 100 ? -1 : x * 3;
#else
    return x * 3;
#endif
}

GATHERED long second(long x) { return first(x) * 5; }

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", second(atol(question))); }
static void hammer(long turn) { (void)turn; }
