/* Arguments in registers and on the stack, floating point too, and a leaf function that keeps its locals below the stack pointer. */
#include "victim.h"

NOINLINE long ten_integers(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j)
{
#ifdef FIXED
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 11 * j;
#else
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
#endif
}

NOINLINE double ten_doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i, double j)
{
#ifdef FIXED
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 11 * j;
#else
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
#endif
}

NOINLINE long red_zone(long x)
{
    volatile long local[12];
    for (int i = 0; i < 12; i++) local[i] = x + i;
#ifdef FIXED
    return local[0] + local[11] + 1;
#else
    return local[0] + local[11];
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    (void)question;
    snprintf(out, room, "%ld %.0f %ld", ten_integers(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), ten_doubles(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), red_zone(10));
}

static void hammer(long turn)
{
    long i = ten_integers(turn, 1, 1, 1, 1, 1, 1, 1, 1, 1), z = red_zone(turn);
    double d = ten_doubles((double)turn, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    if ((i != turn + 54 && i != turn + 55) || (d != turn + 54 && d != turn + 55) || (z != 2 * turn + 11 && z != 2 * turn + 12)) abort();
}
