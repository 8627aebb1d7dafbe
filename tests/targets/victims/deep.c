/* Recursion in flight: frames of the old function above frames of others, for a while. */
#include "victim.h"

NOINLINE long climb(int n, int rest)
{
    if (n == 0) { usleep(rest * 1000); return 0; }
#ifdef FIXED
    return climb(n - 1, rest) + 2;
#else
    return climb(n - 1, rest) + 1;
#endif
}

static void *climber(void *unused) { for (;;) { if (climb(100, 3) % 100) abort(); usleep(2000); } return unused; }

static void answer(const char *question, char *out, size_t room)
{
    pthread_t thread;
    if (!strcmp(question, "climb")) { pthread_create(&thread, NULL, climber, NULL); snprintf(out, room, "climbing"); }
    else snprintf(out, room, "%ld", climb(100, 0));
}

static void hammer(long turn) { (void)turn; }
