/* Answers every connection on port 8000 with the time. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void answer(int client)
{
    char request[4096], text[256];
    time_t now = time(NULL);
    struct tm parts;
    if (read(client, request, sizeof(request)) > 0 && gmtime_r(&now, &parts)) {
        size_t length = strftime(text, sizeof(text),
                                 "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%FT%TZ\n", &parts);
        if (write(client, text, length) < 0)
            perror("write");
    }
    close(client);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8000)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 16) < 0) {
        perror("port 8000");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0)
            answer(client);
    }
}
