// harness CONTROL-PORT THREADS: runs work() in a loop in each thread, counts, and answers on 127.0.0.1:CONTROL-PORT, one line a question:
//   counts   "REQUESTS FAILURES"
//   probe    what the input of the advisory makes of the library at this moment; in a forked child, which has the memory of this moment
//            and may die of it: "killed by signal 11" is an answer too
// For a library this program is the target; for a daemon (tcp.c) it is the client that watches it.
#include "harness.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ThreadsMax = 64, AnswerBytes = 400, PauseMicroseconds = 1000, ProbeSecondsMax = 30 };

int probe_in_process;
static atomic_long requests, failures;

static void *loop(void *number) {
    for (;;) {
        const char *wrong = work((int)(long)number);
        atomic_fetch_add(&requests, 1);
        if (wrong != NULL && atomic_fetch_add(&failures, 1) < 20) fprintf(stderr, "thread %d: %s\n", (int)(long)number, wrong);
        usleep(PauseMicroseconds);    // the machine is shared: a load, not a benchmark
    }
    return NULL;
}

static int listener(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int yes = 1, socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(socket_, (struct sockaddr *)&address, sizeof address) != 0 || listen(socket_, 8) != 0) { perror("control port"); exit(1); }
    return socket_;
}

static void probe_in_a_child(char *text, size_t room) {
    int ends[2], status;
    if (pipe(ends) != 0) { snprintf(text, room, "no pipe"); return; }
    pid_t child = fork();
    if (child == 0) {
        alarm(ProbeSecondsMax);
        probe(text, room);
        _exit(write(ends[1], text, strlen(text)) < 0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], text, room - 1);
    text[got > 0 ? got : 0] = 0;
    close(ends[0]);
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) snprintf(text, room, "killed by signal %d", WTERMSIG(status));
}

static void answer(FILE *peer) {
    char question[32] = "", text[AnswerBytes] = "";
    if (fgets(question, sizeof question, peer) == NULL) return;
    question[strcspn(question, "\r\n")] = 0;
    if (strcmp(question, "counts") == 0) fprintf(peer, "%ld %ld\n", atomic_load(&requests), atomic_load(&failures));
    else if (strcmp(question, "probe") == 0) { (probe_in_process ? probe : probe_in_a_child)(text, sizeof text); fprintf(peer, "%s\n", text); }
    else fprintf(peer, "unknown question\n");
}

int main(int count, char **arguments) {
    int threads = count == 3 ? atoi(arguments[2]) : 0;
    if (threads < 1 || threads > ThreadsMax) { fprintf(stderr, "usage: harness CONTROL-PORT THREADS\n"); return 2; }
    int socket_ = listener(atoi(arguments[1]));
    prepare();
    for (long i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, loop, (void *)i) != 0) { perror("thread"); return 1; }
    }
    for (;;) {
        int connection = accept(socket_, NULL, NULL);
        FILE *peer = connection < 0 ? NULL : fdopen(connection, "r+");
        if (peer == NULL) continue;
        answer(peer);
        fclose(peer);
    }
}
