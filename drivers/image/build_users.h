/* Users and groups of a root, by its own /etc/passwd and /etc/group (passwd(5), group(5)). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"

struct error;

struct build_user {
    int64_t uid, gid;
    int64_t *groups; /* that he is a member of, beside gid */
    size_t group_count;
    const char *home; /* "/" where nothing says */
};

/* "USER[:GROUP]", each a name or a number up to 65535. Without a group: the user's own; of a number without an entry
 * `otherwise`, where -1 is the number itself. `text` NULL is root. -ENOENT when a name is not there, -EINVAL. */
int build_user_find(int root, const char *text, int64_t otherwise, struct arena *arena,
                    struct build_user *user, struct error *error);
