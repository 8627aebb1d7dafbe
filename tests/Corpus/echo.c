// echo PORT: an HTTP server behind a proxy; answers every request with the head of the request as it arrived, so that a proof can see
// what a proxy lets through.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HeadBytes = 16384 };

static void *serve(void *given) {
    int peer = (int)(long)given;
    char head[HeadBytes + 1], status[200];
    size_t have = 0;
    ssize_t got;
    while (have < HeadBytes && (got = recv(peer, head + have, HeadBytes - have, 0)) > 0) {
        have += (size_t)got;
        head[have] = 0;
        if (strstr(head, "\r\n\r\n") == NULL) continue;
        int length = snprintf(status, sizeof status, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", have);
        if (send(peer, status, (size_t)length, MSG_NOSIGNAL) > 0) send(peer, head, have, MSG_NOSIGNAL);
        break;
    }
    close(peer);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 2) { fprintf(stderr, "usage: echo PORT\n"); return 2; }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0) { perror("echo"); return 1; }
    for (;;) {
        pthread_t thread;
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)peer) != 0) close(peer);
        else pthread_detach(thread);
    }
}
