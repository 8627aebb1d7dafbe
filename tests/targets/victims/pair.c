/* Three functions that only agree with each other: old encode with new decode is a wrong answer. */
#include "victim.h"

NOINLINE long encode(long x)
{
#ifdef FIXED
    return x * 3 + 7;
#else
    return x + 1000;
#endif
}

NOINLINE long decode(long x)
{
#ifdef FIXED
    return (x - 7) / 3;
#else
    return x - 1000;
#endif
}

NOINLINE long there_and_back(long x)
{
    long sealed = encode(x);
    for (volatile int i = 0; i < 50; i++) { }
#ifdef FIXED
    __asm__ volatile("nop");        /* it changes too, so that nobody is between the two calls at the switch */
#endif
    return decode(sealed);
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", encode(atol(question))); }

static void hammer(long turn)
{
    if (there_and_back(turn) != turn) abort();
}
