/* The yardstick of tests/bench/scale: reads the files of a folder and parses them with plain libyaml, event by event.
 *
 *   yaml FOLDER     prints how many events there were */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

static long parse(FILE *file)
{
    yaml_parser_t parser;
    yaml_event_t event;
    long count = 0;
    yaml_event_type_t type = YAML_NO_EVENT;
    if (!yaml_parser_initialize(&parser))
        return -1;
    yaml_parser_set_input_file(&parser, file);
    for (; type != YAML_STREAM_END_EVENT && yaml_parser_parse(&parser, &event); count++) {
        type = event.type;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return type == YAML_STREAM_END_EVENT ? count : -1;
}

int main(int count, char **arguments)
{
    struct dirent **entries;
    int files = count == 2 ? scandir(arguments[1], &entries, NULL, alphasort) : -1;
    if (files < 0) {
        fputs("usage: yaml FOLDER\n", stderr);
        return EXIT_FAILURE;
    }
    long events = 0;
    for (int i = 0; i < files; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", arguments[1], entries[i]->d_name);
        FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "r");
        long parsed = file ? parse(file) : 0;
        if (file)
            fclose(file);
        if (parsed < 0) {
            fprintf(stderr, "%s: no YAML\n", path);
            return EXIT_FAILURE;
        }
        events += parsed;
        free(entries[i]);
    }
    free(entries);
    printf("%ld\n", events);
    return EXIT_SUCCESS;
}
