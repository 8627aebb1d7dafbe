/* A thread that sleeps inside the function to be patched, for as long as nobody wakes it. */
#include "victim.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, woken, result;

NOINLINE int rest(int forever)
{
    pthread_mutex_lock(&lock);
    inside += forever;
    pthread_cond_broadcast(&changed);
    while (forever && !woken) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
#ifdef FIXED
    return 2;
#else
    return 1;
#endif
}

static void *sleeper(void *unused)
{
    result = rest(1);
    return unused;
}

static void answer(const char *question, char *out, size_t room)
{
    static pthread_t thread;
    if (!strcmp(question, "sleep")) {
        pthread_create(&thread, NULL, sleeper, NULL);
        pthread_mutex_lock(&lock);
        while (!inside) pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        usleep(20000);          /* let it reach its sleep */
        snprintf(out, room, "asleep");
    } else if (!strcmp(question, "now")) snprintf(out, room, "%d", rest(0));
    else {
        pthread_mutex_lock(&lock);
        woken = 1;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        pthread_join(thread, NULL);
        snprintf(out, room, "%d", result);
    }
}

static void hammer(long turn) { (void)turn; }
