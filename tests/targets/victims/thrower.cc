/*
 * C++: exceptions pass through, are thrown in, and are caught in functions that are fixed.
 *
 *   pass N     middle() lets inner()'s exception through; the fix adds an object with a destructor on the way
 *   local N    a type without a name outside of this file is thrown by code that stays and caught by code that is new
 *   throws N   the fix throws a type that existed, caught by code that stays
 *   handler N  the fix changes nothing but the type that is caught
 */
#include "victim.h"
#include <stdexcept>

#ifndef THROWN
#define THROWN std::out_of_range        /* a type that the program did not know before */
#endif

static long destroyed;
struct Counted {
    ~Counted() { __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED); }
};

namespace {
struct Private {
    long code;
};
}

NOINLINE long inner(long x)
{
    if (x < 0) throw std::invalid_argument("negative");
    return x * 2;
}

NOINLINE long middle(long x)
{
#ifdef FIXED
    Counted counted;
    return inner(x) + 1;
#else
    return inner(x);
#endif
}

NOINLINE void refuse(long x)
{
    if (x < 0) throw Private{x};
}

NOINLINE long local(long x)
{
#ifdef FIXED
    try {
        refuse(x);
    } catch (const Private &caught) {
        return caught.code * 100;
    }
    return x;
#else
    return x;
#endif
}

NOINLINE long throws(long x)
{
#ifdef FIXED
    if (x > 1000) throw THROWN("too large");
#endif
    return x;
}

NOINLINE long handler(long x)
{
    try {
        return inner(x);
#ifdef FIXED
    } catch (const std::exception &) {
#else
    } catch (const std::runtime_error &) {
#endif
        return -1;
    }
}

static void answer(const char *question, char *out, size_t room)
{
    long x = atol(strchr(question, ' ') ? strchr(question, ' ') : "0");
    try {
        long result = 0;
        if (!strncmp(question, "pass", 4)) result = middle(x);
        else if (!strncmp(question, "local", 5)) result = local(x);
        else if (!strncmp(question, "throws", 6)) result = throws(x);
        else if (!strncmp(question, "handler", 7)) result = handler(x);
        else result = __atomic_load_n(&destroyed, __ATOMIC_RELAXED);
        snprintf(out, room, "%ld", result);
    } catch (const std::exception &failure) {
        snprintf(out, room, "caught %s", failure.what());
    }
}

static void hammer(long turn)
{
    try {
        middle(turn % 8 ? turn : -1);
    } catch (const std::exception &) {
    }
}
