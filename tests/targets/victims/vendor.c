/*
 * A program that its vendor linked together with something else (vendor_stamp.c): all of it lies elsewhere than in our build. The fix needs
 * what the fixed function did not refer to before, and one of two functions that have the same code.
 */
#include "victim.h"

const char *stamp(void);

static long spent = 5;                      /* data */
static long ceiling_of[64];                 /* zeroed data */
static __thread long mine;                  /* each thread's own */
static const char *const names[] = { "copper", "silver" };

static NOINLINE long twin_one(long x) { return x * 11; }
static NOINLINE __attribute__((no_icf)) long twin_other(long x) { return x * 11; }

NOINLINE long set_ceiling(long to)
{
    long before = ceiling_of[0];
    ceiling_of[0] = to;
    return before;
}

static NOINLINE long fee(long amount)
{
    if (amount > 50) return twin_one(amount) / 11;
    return twin_other(amount) / 22;
}

NOINLINE long charge(long amount)
{
#ifdef FIXED
    if (ceiling_of[0] && amount > ceiling_of[0]) return -twin_other(1);
#endif
    mine++;
    spent += fee(amount);
    return spent;
}

static void answer(const char *question, char *out, size_t room)
{
    long sum = question[0] == 'c' ? set_ceiling(atol(question + 1)) : charge(atol(question));
    snprintf(out, room, "%s %ld %ld%s", names[sum > 100], sum, mine, *stamp() ? "" : "?");
}

static void hammer(long turn)
{
    if (twin_one(turn) != twin_other(turn)) abort();
}
