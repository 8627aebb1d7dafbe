/* C++: an exception passes through the function that is fixed. */
#include "victim.h"
#include <stdexcept>

NOINLINE long inner(long x)
{
    if (x < 0) throw std::invalid_argument("negative");
    return x * 2;
}

NOINLINE long middle(long x)
{
#ifdef FIXED
    return inner(x) + 1;
#else
    return inner(x);
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    try {
        snprintf(out, room, "%ld", middle(atol(question)));
    } catch (const std::exception &failure) {
        snprintf(out, room, "caught %s", failure.what());
    }
}

static void hammer(long turn) { (void)turn; }
