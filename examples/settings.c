/* Loads settings from a text and prints them as JSON; neither part knows what settings there are.
 *
 * GORT_STRUCT describes the structs; everything else goes by the description: which field a name
 * leads to, whether the value fits its type, how it is printed.  A line is `name = value`, or a
 * comment behind #.  Names lead into structs and arrays, as listen.1.port.
 *
 * usage: settings [FILE]     a text of its own when not given
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#define _GNU_SOURCE
#include <gort.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What there is to set ---- */

typedef struct listener {
    gort_string host;
    uint16_t port;
    bool tls;
} listener;
GORT_STRUCT(listener, host, port, tls);

typedef struct settings {
    gort_string name;
    listener listen[2];
    int64_t cache_bytes;
    double timeout;
} settings;
GORT_STRUCT(settings, name, (listen, listener), cache_bytes, timeout);

static settings current = { .cache_bytes = 1 << 20, .timeout = 2.5 };

/* ---- Loading, whatever the type ---- */

/* The type of what the name leads to from *at, which is moved there; NULL: to nothing. */
static const struct gort_type *find(const struct gort_type *t, gort_string name, char **at)
{
    for (bool more = true; more;) {
        gort_string part;
        more = gort_string_cut(name, gort_str("."), &part, &name);
        char *c = gort_string_to_c(part), *end;
        if (t->kind == GORT_KIND_ARRAY) {
            unsigned long i = strtoul(c, &end, 10);
            if (end == c || *end != '\0' || i >= t->count) return NULL;
            t = t->elem;
            *at += i * t->size;
        } else {
            const struct gort_field *f = gort_reflect_field(t, c);
            if (f == NULL) return NULL;
            t = f->type;
            *at += f->offset;
        }
    }
    return t;
}

/* Stores the number if the type can hold it. */
static bool set_number(const struct gort_type *t, void *at, gort_any number)
{
    switch (t->kind) {
    case GORT_KIND_INT32:
        return gort_any_convert(int32_t, number, (int32_t *)at);
    case GORT_KIND_INT64:
        return gort_any_convert(int64_t, number, (int64_t *)at);
    case GORT_KIND_UINT16:
        return gort_any_convert(uint16_t, number, (uint16_t *)at);
    case GORT_KIND_DOUBLE:
        return gort_any_convert(double, number, (double *)at);
    default:
        return false; /* others in the same way, when there are some */
    }
}

static bool set(const struct gort_type *t, void *at, gort_string value)
{
    char *c = gort_string_to_c(value), *end;
    if (t->kind == GORT_KIND_STRING) {
        gort_string_set((gort_string *)at, value); /* a pointer is stored: with the barrier */
        return true;
    }
    if (t->kind == GORT_KIND_BOOL) {
        *(bool *)at = strcmp(c, "yes") == 0;
        return *(bool *)at || strcmp(c, "no") == 0;
    }
    errno = 0;
    long long whole = strtoll(c, &end, 10);
    if (end != c && *end == '\0' && errno == 0)
        return set_number(t, at, gort_any_make(int64_t, whole));
    double real = strtod(c, &end);
    if (end == c || *end != '\0' || !isfinite(real)) return false; /* JSON has no NaN */
    return set_number(t, at, gort_any_make(double, real));
}

/* NULL, or what is wrong with the line. */
static gort_string load_line(const struct gort_type *t, void *into, gort_string line)
{
    gort_string name, value, rest, none = { NULL, 0 };
    char *at = into, type[64];
    gort_string_cut(line, gort_str("#"), &line, &rest);
    if (gort_string_trim_space(line).len == 0) return none;
    if (!gort_string_cut(line, gort_str("="), &name, &value))
        return gort_str("this is not `name = value`");
    name = gort_string_trim_space(name);
    value = gort_string_trim_space(value);
    t = find(t, name, &at);
    if (t == NULL) return gort_format("there is no %.*s", GORT_STRING_ARGS(name));
    if (set(t, at, value)) return none;
    return gort_format("%.*s is of type %s, and can not be %.*s", GORT_STRING_ARGS(name),
                       gort_reflect_name(t, type, sizeof type), GORT_STRING_ARGS(value));
}

/* ---- Printing, whatever the type ---- */

static void json_text(gort_builder *b, gort_string s)
{
    gort_builder_byte(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < ' ') {
            gort_builder_format(b, "\\u%04x", s.ptr[i]);
            continue;
        }
        if (s.ptr[i] == '"' || s.ptr[i] == '\\') gort_builder_byte(b, '\\');
        gort_builder_byte(b, s.ptr[i]);
    }
    gort_builder_byte(b, '"');
}

static void json(gort_builder *b, const struct gort_type *t, const char *p, int depth)
{
    if (t->kind == GORT_KIND_STRING) {
        json_text(b, *(const gort_string *)(const void *)p);
    } else if (t->kind == GORT_KIND_STRUCT || t->kind == GORT_KIND_ARRAY) {
        bool fields = t->kind == GORT_KIND_STRUCT;
        gort_builder_byte(b, fields ? '{' : '[');
        for (size_t i = 0; i < t->count; i++) {
            gort_builder_format(b, "%s\n%*s", i > 0 ? "," : "", 2 * depth + 2, "");
            if (fields) gort_builder_format(b, "\"%s\": ", t->fields[i].name);
            json(b, fields ? t->fields[i].type : t->elem,
                 p + (fields ? t->fields[i].offset : i * t->elem->size), depth + 1);
        }
        gort_builder_format(b, "\n%*s%c", 2 * depth, "", fields ? '}' : ']');
    } else {
        gort_builder_value(b, t, p); /* numbers, true and false are the same there */
    }
}

/* ---- The program ---- */

static const char own[] = "name = example   # a comment\n"
                          "listen.0.host = 127.0.0.1\n"
                          "listen.0.port = 8080\n"
                          "listen.1.host = ::\n"
                          "listen.1.port = 8443\n"
                          "listen.1.tls = yes\n"
                          "timeout = 30\n";

/* Loads all lines, and tells what is wrong with each; how many were wrong. */
static int load(FILE *f, const char *path, const struct gort_type *t, void *into)
{
    char *line = NULL;
    size_t room = 0;
    int n = 0, wrong = 0;
    for (ssize_t len; (len = getline(&line, &room, f)) >= 0;) {
        n++;
        gort_string error = load_line(t, into, gort_string_make(line, (size_t)len));
        if (error.len == 0) continue;
        fprintf(stderr, "settings: %s:%d: %.*s\n", path, n, GORT_STRING_ARGS(error));
        wrong++;
    }
    free(line);
    return wrong;
}

static int run(int argc, char **argv)
{
    gort_builder out = { 0 };
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: settings [FILE]\n");
        return 2;
    }
    const char *path = argc == 2 ? argv[1] : "its own text";
    FILE *f = argc == 2 ? fopen(path, "r") : fmemopen((void *)(uintptr_t)own, strlen(own), "r");
    if (f == NULL) {
        fprintf(stderr, "settings: %s: %s\n", path, strerror(errno));
        return 1;
    }
    int wrong = load(f, path, gort_type_of(settings), &current);
    fclose(f);
    if (wrong > 0) return 1;
    json(&out, gort_type_of(settings), (const char *)&current, 0);
    printf("%.*s\n", GORT_STRING_ARGS(gort_builder_string(&out)));
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
