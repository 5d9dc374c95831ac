#include "ca/http/addresses.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct address_entry {
    struct address_entry *next;
    struct address address;
    unsigned count;
};

void addresses_init(struct addresses *addresses)
{
    *addresses = (struct addresses){0};
    pthread_mutex_init(&addresses->lock, NULL);
}

void addresses_free(struct addresses *addresses)
{
    for (size_t i = 0; i < ADDRESS_BUCKETS; i++) {
        while (addresses->buckets[i] != NULL) {
            struct address_entry *entry = addresses->buckets[i];
            addresses->buckets[i] = entry->next;
            free(entry);
        }
    }
    pthread_mutex_destroy(&addresses->lock);
}

/* Where the pointer to the entry is, or would be appended. */
static struct address_entry **entry_find(struct addresses *addresses, const struct address *address)
{
    uint64_t hash = XXH3_64bits(&address->ip, sizeof address->ip);
    struct address_entry **at = &addresses->buckets[hash % ADDRESS_BUCKETS];
    while (*at != NULL && memcmp(&(*at)->address.ip, &address->ip, sizeof address->ip) != 0)
        at = &(*at)->next;
    return at;
}

static bool entry_enter(struct addresses *addresses, const struct address *address, unsigned limit)
{
    struct address_entry **at = entry_find(addresses, address);
    if (*at == NULL) {
        struct address_entry *entry = calloc(1, sizeof *entry);
        if (entry == NULL)
            return false;
        entry->address = *address;
        *at = entry;
    }
    if (limit > 0 && (*at)->count >= limit)
        return false;
    (*at)->count++;
    return true;
}

bool addresses_enter(struct addresses *addresses, const struct address *address, unsigned limit)
{
    pthread_mutex_lock(&addresses->lock);
    bool entered = entry_enter(addresses, address, limit);
    pthread_mutex_unlock(&addresses->lock);
    return entered;
}

void addresses_leave(struct addresses *addresses, const struct address *address)
{
    pthread_mutex_lock(&addresses->lock);
    struct address_entry **at = entry_find(addresses, address);
    struct address_entry *entry = *at;
    if (entry != NULL && --entry->count == 0) {
        *at = entry->next;
        free(entry);
    }
    pthread_mutex_unlock(&addresses->lock);
}
