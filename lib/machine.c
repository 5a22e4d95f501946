#include "lib/machine.h"

#include <string.h>
#include <sys/utsname.h>

const char *machine_architecture(void)
{
    static struct utsname name;
    uname(&name);
    return strcmp(name.machine, "x86_64") == 0    ? "amd64"
           : strcmp(name.machine, "aarch64") == 0 ? "arm64"
                                                  : name.machine;
}
