/* A thread that waits for its child in vfork(2), which no signal interrupts. */
#include "victim.h"

static pthread_t waiting;

NOINLINE int value(void)
{
#ifdef FIXED
    return 2;
#else
    return 1;
#endif
}

static void *wait_for_child(void *seconds)
{
    if (vfork() == 0) {
        sleep((unsigned)(long)seconds);
        _exit(0);
    }
    return NULL;
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strncmp(question, "vfork", 5)) {
        pthread_create(&waiting, NULL, wait_for_child, (void *)atol(question + 5));
        usleep(100000);
    }
    if (!strcmp(question, "join")) pthread_join(waiting, NULL);
    snprintf(out, room, "%d", value());
}

static void hammer(long turn) { if (value() + turn < 0) abort(); }
