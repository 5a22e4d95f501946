/* fpsync-fetch: the program. It is told everything by one word, descriptors and standard input. */
#include <stdio.h>
#include <string.h>

#include "drivers/image/fetch/fetch.h"

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } words[] = {{"unpack", unpack_main},  {"context", context_main}, {"layer", layer_main},
                 {"check", check_main},    {"pack", pack_main},       {"get", get_main},
                 {"resolve", resolve_main}};
    for (size_t i = 0; count == 2 && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(arguments[1], words[i].name) == 0)
            return words[i].run();
    fputs("fpsync-fetch is run by fpsync\n", stderr);
    return 2;
}
