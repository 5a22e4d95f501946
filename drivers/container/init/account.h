/* Who the command of a container runs as, by what the container's own /etc/passwd and /etc/group say at that moment: they
 * are the guest's files, and are read by nobody outside of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct account {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* beside gid */
    size_t group_count;
    char *home; /* NULL: not known */
};

/* USER[:GROUP], each a name or a number; as docker has it: a number that nobody has is taken as it is, with group 0, and
 * the groups that a user is a member of count where no group is named. False after a message on standard error. */
bool account_find(const char *text, struct account *account);
/* Becomes it, for good. False after a message. */
bool account_take(const struct account *account);
