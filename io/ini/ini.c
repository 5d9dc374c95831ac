#include "io/ini.h"

#include "io/file.h"

#include <stdlib.h>
#include <string.h>

struct ini_entry {
    const char *key;
    const char *value;
};

struct ini_section {
    const char *name;
    size_t line;
    struct ini_entry *entries;
    size_t count, capacity;
};

/* Keys, values and names are parts of the text, cut by NULs. */
struct ini {
    char *text;
    size_t size;
    struct ini_section *sections;
    size_t count, capacity;
};

struct ini_reader {
    struct ini *ini;
    const char *file;
    struct error *error;
    size_t line;
    struct ini_section *section; /* NULL before the first */
    char *value;                 /* of the last key; NULL: a line cannot go on with one */
    size_t value_len;
    size_t indent; /* of the last line that was none that goes on */
};

static bool reader_error(struct ini_reader *reader, enum error_kind kind, const char *what)
{
    return error_set(reader->error, kind, "%s:%zu: %s", reader->file, reader->line, what);
}

static bool memory_error(struct ini_reader *reader)
{
    return error_set(reader->error, ERROR_MEMORY, "no memory for %s", reader->file);
}

/* Makes room for one more element. */
static bool room_make(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity == 0 ? 8 : *capacity * 2;
    void *larger = reallocarray(*array, more, size);
    if (larger == NULL)
        return false;
    *array = larger;
    *capacity = more;
    return true;
}

static struct ini_section *section_find(struct ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->count; i++)
        if (strcmp(ini->sections[i].name, name) == 0)
            return &ini->sections[i];
    return NULL;
}

static bool section_begin(struct ini_reader *reader, const char *name)
{
    struct ini *ini = reader->ini;
    reader->section = section_find(ini, name);
    if (reader->section != NULL)
        return true;
    if (ini->count == INI_SECTIONS_MAX)
        return reader_error(reader, ERROR_LIMIT, "more than 5000 sections");
    if (!room_make((void **)&ini->sections, ini->count, &ini->capacity, sizeof *ini->sections))
        return memory_error(reader);
    reader->section = &ini->sections[ini->count++];
    *reader->section = (struct ini_section){.name = name, .line = reader->line};
    return true;
}

static struct ini_entry *entry_find(const struct ini_section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->entries[i].key, key) == 0)
            return &section->entries[i];
    return NULL;
}

static bool entry_put(struct ini_reader *reader, const char *key, const char *value)
{
    struct ini_section *section = reader->section;
    struct ini_entry *entry = entry_find(section, key);
    if (entry == NULL) {
        if (section->count == INI_KEYS_MAX)
            return reader_error(reader, ERROR_LIMIT, "more than 1000 keys in a section");
        if (!room_make((void **)&section->entries, section->count, &section->capacity,
                       sizeof *section->entries))
            return memory_error(reader);
        entry = &section->entries[section->count++];
    }
    *entry = (struct ini_entry){.key = key, .value = value};
    return true;
}

/* A span of the ini's own text, which may be written. */
static char *text_at(struct span span)
{
    return (char *)(uintptr_t)span.data;
}

static bool header_take(struct ini_reader *reader, struct span line)
{
    size_t end = 1;
    for (char quote = 0; end < line.len && (quote != 0 || line.data[end] != ']'); end++) {
        char c = line.data[end];
        if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (c == quote)
            quote = 0;
    }
    if (end == line.len) { /* no "]", or a quotation mark that is a letter of the name */
        const char *first = memchr(line.data, ']', line.len);
        end = first != NULL ? (size_t)(first - line.data) : line.len;
    }
    if (end == line.len)
        return reader_error(reader, ERROR_CONFIG, "a section's name does not end in ]");
    if (end == 1)
        return reader_error(reader, ERROR_CONFIG, "a section without a name");
    text_at(line)[end] = '\0';
    reader->value = NULL;
    return section_begin(reader, line.data + 1);
}

static bool key_take(struct ini_reader *reader, struct span line)
{
    if (reader->section == NULL)
        return reader_error(reader, ERROR_CONFIG, "a line before the first [section]");
    size_t at = 0;
    while (at < line.len && line.data[at] != '=' && line.data[at] != ':')
        at++;
    if (at == line.len)
        return reader_error(reader, ERROR_CONFIG, "neither [section] nor \"key = value\"");
    struct span key = span_trim(span_make(line.data, at));
    struct span value = span_trim(span_from(line, at + 1));
    if (key.len == 0)
        return reader_error(reader, ERROR_CONFIG, "a value without a key");
    char *key_text = text_at(key);
    for (size_t i = 0; i < key.len; i++)
        if (key_text[i] >= 'A' && key_text[i] <= 'Z')
            key_text[i] = (char)(key_text[i] - 'A' + 'a');
    key_text[key.len] = '\0';
    reader->value = text_at(value);
    reader->value_len = value.len;
    reader->value[value.len] = '\0';
    return entry_put(reader, key_text, reader->value);
}

/* The line moves up to the end of the value. */
static bool value_go_on(struct ini_reader *reader, struct span line)
{
    bool nested = reader->value_len == 0 || reader->value[0] == '\n';
    if (nested && memchr(line.data, '=', line.len) == NULL)
        return reader_error(reader, ERROR_CONFIG, "an indented line without \"key = value\"");
    reader->value[reader->value_len++] = '\n';
    memmove(reader->value + reader->value_len, line.data, line.len);
    reader->value_len += line.len;
    reader->value[reader->value_len] = '\0';
    return true;
}

static bool line_take(struct ini_reader *reader, struct span whole)
{
    struct span line = span_trim(whole);
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
        return true;
    if (memchr(line.data, '\0', line.len) != NULL)
        return reader_error(reader, ERROR_CONFIG, "a NUL byte: this is no text file");
    size_t indent = (size_t)(line.data - whole.data);
    if (reader->value != NULL && indent > reader->indent)
        return value_go_on(reader, line);
    reader->indent = indent;
    return line.data[0] == '[' ? header_take(reader, line) : key_take(reader, line);
}

static bool text_take(struct ini_reader *reader, struct span text)
{
    if (span_starts(text, "\xef\xbb\xbf"))
        text = span_from(text, 3);
    if (span_starts(text, "\xff\xfe") || span_starts(text, "\xfe\xff"))
        return error_set(reader->error, ERROR_CONFIG, "%s: is in UTF-16: save it as UTF-8",
                         reader->file);
    while (text.data != NULL) {
        reader->line++;
        TRY(line_take(reader, span_split(&text, '\n')));
    }
    return true;
}

bool ini_read_text(struct span text, const char *file, struct ini **ret_ini, struct error *error)
{
    if (text.len > INI_BYTES_MAX)
        return error_set(error, ERROR_LIMIT, "%s: longer than 1 MiB", file);
    struct ini *ini = calloc(1, sizeof *ini);
    struct ini_reader reader = {.ini = ini, .file = file, .error = error};
    if (ini == NULL)
        return memory_error(&reader);
    ini->size = text.len + 1;
    ini->text = malloc(ini->size);
    if (ini->text == NULL) {
        ini_free(ini);
        return memory_error(&reader);
    }
    if (text.len > 0)
        memcpy(ini->text, text.data, text.len);
    ini->text[text.len] = '\0';
    if (!text_take(&reader, span_make(ini->text, text.len))) {
        ini_free(ini);
        return false;
    }
    *ret_ini = ini;
    return true;
}

bool ini_read_file(const char *path, struct ini **ret_ini, struct error *error)
{
    struct buf text CLEANUP(buf_free);
    buf_init_secret(&text, INI_BYTES_MAX);
    return file_read(path, &text, NULL, error) &&
           ini_read_text(buf_span(&text), path, ret_ini, error);
}

void ini_free(struct ini *ini)
{
    if (ini == NULL)
        return;
    if (ini->text != NULL)
        explicit_bzero(ini->text, ini->size);
    free(ini->text);
    for (size_t i = 0; i < ini->count; i++)
        free(ini->sections[i].entries);
    free(ini->sections);
    free(ini);
}

size_t ini_section_count(const struct ini *ini)
{
    return ini->count;
}

const char *ini_section_name(const struct ini *ini, size_t section)
{
    return ini->sections[section].name;
}

size_t ini_section_line(const struct ini *ini, size_t section)
{
    return ini->sections[section].line;
}

const char *ini_value(const struct ini *ini, size_t section, const char *key)
{
    const struct ini_entry *entry = entry_find(&ini->sections[section], key);
    return entry != NULL ? entry->value : NULL;
}

struct span ini_nested(const char *value, const char *name)
{
    struct span found = {0};
    if (value == NULL || value[0] != '\n')
        return found;
    struct span rest = span_of(value + 1);
    while (rest.data != NULL) {
        struct span line = span_split(&rest, '\n');
        struct span key = span_split(&line, '=');
        if (span_is(span_trim(key), name) && line.data != NULL)
            found = span_trim(line);
    }
    return found;
}
