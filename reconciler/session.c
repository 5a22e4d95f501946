#include "reconciler/session.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"

/* Defaults of SEMANTICS 11 and 48. */
#define ID_FIRST    0x70000000
#define ID_LAST     0x7fffffff
#define SUBNET_POOL "10.64.0.0/11"

/* Each folder with its mode; parents of what unprivileged containers reach need x for others. */
int session_make_folders(const struct paths *paths, struct error *error)
{
    const struct {
        const char *path;
        mode_t mode;
    } folders[] = {{paths->store, 0711},  {paths->state, 0700},   {paths->images, 0700},
                   {paths->layers, 0700}, {paths->volumes, 0700}, {paths->lxc, 0711},
                   {paths->run, 0711},    {paths->mounts, 0711},  {paths->networks, 0755}};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char part[256];
        if (access(folders[i].path, F_OK) == 0)
            continue;
        for (const char *slash = strchr(folders[i].path + 1, '/');; slash = strchr(slash + 1, '/')) {
            size_t length = slash ? (size_t)(slash - folders[i].path) : strlen(folders[i].path);
            snprintf(part, sizeof(part), "%.*s", (int)length, folders[i].path);
            if (mkdir(part, slash ? 0755 : folders[i].mode) < 0 && errno != EEXIST)
                return error_errno(error, -errno, "cannot create %s", part);
            if (!slash)
                break;
        }
    }
    return 0;
}

int session_enter(const struct options *options, enum session_mode mode, struct session *session,
                  struct error *error)
{
    *session = (struct session){.options = options, .arena = arena_new(), .lock = -1};
    session->lease_rules =
        (struct lease_rules){.id_first = ID_FIRST, .id_last = ID_LAST, .pool = SUBNET_POOL};
    int result = paths_make(options->root, session->arena, &session->paths, error);
    if (result >= 0 && mode == SESSION_WRITE)
        result = session_make_folders(&session->paths, error);
    if (result >= 0 && mode == SESSION_WRITE)
        result = session_lock(session, error);
    if (result >= 0)
        result = state_open(session->paths.state, STATE_READ, &session->state, error);
    return result;
}

int session_read(struct session *session, struct error *error)
{
    int result = state_read(session->state, session->arena, &session->snapshot, error);
    if (result >= 0)
        result = actual_decode(session->state, &session->snapshot, session->arena, &session->actual, error);
    return result;
}

int session_open(const struct options *options, enum session_mode mode, struct session *session,
                 struct error *error)
{
    int result = session_enter(options, mode, session, error);
    return result >= 0 ? session_read(session, error) : result;
}

int session_write(struct session *session, struct error *error)
{
    state_close(TAKE_PTR(session->state));
    return state_open(session->paths.state, STATE_WRITE, &session->state, error);
}

void session_close(struct session *session)
{
    metadata_clear(&session->metadata);
    state_close(session->state);
    if (session->lock >= 0)
        close(session->lock);
    arena_free(session->arena);
}

int session_look(struct session *session, struct error *error)
{
    session->lease_rules.host = *session->snapshot.host ? session->snapshot.host : session->paths.root;
    if (session->has_looked) { /* once: who looks again means it */
        session->has_looked = false;
        return 0;
    }
    return world_observe(&session->paths, &session->actual, session->arena, &session->world, error);
}

bool session_holds(const struct session *session, const char *source)
{
    for (size_t i = 0; i < session->actual.count; i++)
        if (text_is_same(session->actual.items[i].record->source, source))
            return true;
    return false;
}
