#include "http/wiping.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wiping_free(void *block)
{
    if (block != NULL)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

/* realloc would leave a copy behind where it moves the block. */
static void *wiping_realloc(void *block, size_t size)
{
    size_t held = block != NULL ? malloc_usable_size(block) : 0;
    if (block != NULL && size > 0 && size <= held)
        return block;
    void *grown = malloc(size > 0 ? size : 1);
    if (grown == NULL)
        return NULL;
    if (held > 0)
        memcpy(grown, block, held < size ? held : size);
    wiping_free(block);
    return grown;
}

bool http_global_init(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup,
                                calloc) == CURLE_OK;
}
