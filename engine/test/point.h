/* Test points: named places where a test may kill the process.
 *
 * The program that operators run links point_none.c, where a point is an empty function. The test
 * build (certmill-points) links point_kill.c: CERTMILL_KILL_AT="name" or "name:n" sends SIGKILL to
 * the process when the point is reached for the n-th time. */
#ifndef CERTMILL_TEST_POINT_H
#define CERTMILL_TEST_POINT_H

void test_point(const char *name);

#endif
