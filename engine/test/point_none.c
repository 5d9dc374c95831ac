#include "test/point.h"

void test_point(const char *name)
{
    (void)name;
}
