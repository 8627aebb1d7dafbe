/* Threads that start and end without pause. */
#include "victim.h"

NOINLINE int weigh(int x)
{
#ifdef FIXED
    return x * 9 + 4;
#else
    return x * 9 + 3;
#endif
}

static void *drop(void *unused) { int v = weigh(1); if (v != 12 && v != 13) abort(); return unused; }

static void *cloud(void *unused)
{
    for (;;) {
        pthread_t drops[4];
        for (int i = 0; i < 4; i++) if (pthread_create(&drops[i], NULL, drop, NULL)) abort();
        for (int i = 0; i < 4; i++) pthread_join(drops[i], NULL);
    }
    return unused;
}

static void answer(const char *question, char *out, size_t room)
{
    pthread_t thread;
    if (!strcmp(question, "storm")) { for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, cloud, NULL); snprintf(out, room, "raining"); }
    else snprintf(out, room, "%d", weigh(atoi(question)));
}

static void hammer(long turn) { (void)turn; }
