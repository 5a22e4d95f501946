#include "drivers/call.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

int64_t now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int call_time_left(const struct call *call)
{
    if (!call->deadline)
        return -1;
    int64_t left = call->deadline - now_milliseconds();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int call_check(const struct call *call)
{
    struct pollfd cancel = {.fd = call->cancel, .events = POLLIN};
    if (call->cancel >= 0 && poll(&cancel, 1, 0) > 0)
        return -ECANCELED;
    return call_time_left(call) == 0 ? -ETIMEDOUT : 0;
}
