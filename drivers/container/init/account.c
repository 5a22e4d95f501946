#include "drivers/container/init/account.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/container/init/complain.h"

#define PASSWD     "/etc/passwd"
#define GROUP      "/etc/group"
#define FILE_LIMIT ((size_t)4 * 1024 * 1024) /* bytes; what lies behind is not seen */
#define FIELDS     7
#define GROUP_MOST 1024

struct lines {
    char *text; /* NULL: there is no such file, or all of it was read */
    char *fields[FIELDS];
    size_t count;
};

/* The whole file, ended by a NUL; NULL where there is none. */
static char *read_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text = file < 0 ? NULL : malloc(FILE_LIMIT + 1);
    size_t length = 0;
    for (ssize_t got = 1; text && got > 0 && length<FILE_LIMIT; length += got> 0 ? (size_t)got : 0)
        got = read(file, text + length, FILE_LIMIT - length);
    if (text)
        text[length] = '\0';
    if (file >= 0)
        close(file);
    return text;
}

/* The fields of the next line that has `least` of them. */
static bool next_line(struct lines *lines, size_t least)
{
    while (lines->text) {
        char *line = strsep(&lines->text, "\n");
        for (lines->count = 0; line && lines->count < FIELDS; lines->count++)
            lines->fields[lines->count] = strsep(&line, ":");
        if (lines->count >= least && *lines->fields[0])
            return true;
    }
    return false;
}

static bool read_id(const char *text, uint32_t *id)
{
    char *end;
    errno = 0;
    unsigned long value = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : UINT32_MAX;
    if (value >= UINT32_MAX || errno || *end)
        return false;
    *id = (uint32_t)value;
    return true;
}

/* Whether a line is about `wanted`, a name or the number in its third field. */
static bool is_about(const struct lines *lines, const char *wanted, uint32_t *id)
{
    uint32_t number;
    return read_id(lines->fields[2], id) &&
           (strcmp(lines->fields[0], wanted) == 0 || (read_id(wanted, &number) && number == *id));
}

/* `name`: what passwd calls it; NULL where it has no line of it. */
static bool find_user(const char *user, struct account *account, const char **name)
{
    struct lines lines = {.text = read_file(PASSWD)};
    while (next_line(&lines, 6))
        if (is_about(&lines, user, &account->uid) && read_id(lines.fields[3], &account->gid)) {
            *name = lines.fields[0];
            account->home = lines.fields[5];
            return true;
        }
    account->gid = 0;
    if (read_id(user, &account->uid))
        return true;
    complain("%s knows no user %s", PASSWD, user);
    return false;
}

static bool find_group(const char *group, gid_t *gid)
{
    struct lines lines = {.text = read_file(GROUP)};
    while (next_line(&lines, 3))
        if (is_about(&lines, group, gid))
            return true;
    if (read_id(group, gid))
        return true;
    complain("%s knows no group %s", GROUP, group);
    return false;
}

static bool is_member(char *members, const char *name)
{
    for (char *member = strsep(&members, ","); member; member = strsep(&members, ","))
        if (strcmp(member, name) == 0)
            return true;
    return false;
}

static void find_memberships(const char *name, struct account *account)
{
    struct lines lines = {.text = read_file(GROUP)};
    uint32_t gid;
    account->groups = calloc(GROUP_MOST, sizeof(*account->groups));
    while (account->groups && account->group_count < GROUP_MOST && next_line(&lines, 4))
        if (read_id(lines.fields[2], &gid) && is_member(lines.fields[3], name))
            account->groups[account->group_count++] = gid;
}

bool account_find(const char *text, struct account *account)
{
    char *user = strdup(text), *group = user ? strchr(user, ':') : NULL;
    const char *name = NULL;
    *account = (struct account){0};
    if (group)
        *group++ = '\0';
    if (!user || !find_user(user, account, &name))
        return false;
    if (group)
        return find_group(group, &account->gid);
    if (name)
        find_memberships(name, account);
    return true;
}

bool account_take(const struct account *account)
{
    if (setgroups(account->group_count, account->groups) == 0 && setgid(account->gid) == 0 &&
        setuid(account->uid) == 0)
        return true;
    complain("cannot become user %u of group %u: %s", account->uid, account->gid,
             errno == EINVAL ? "a container has ids 0 to 65535" : strerror(errno));
    return false;
}
