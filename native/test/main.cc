// The entry point of the native unit tests; each *_test.cc beside it adds its cases.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
