// The tests that look inside the header's implementation. They are one file with it, so that it is compiled once for
// them and for all other unit tests.
#define SIO_DEMO_IMPLEMENTATION
#include "sio_demo.hpp"

#include "engine_api_test.cpp"
#include "redis_test.cpp"
#include "scripted_stream_test.cpp"
#include "server_test.cpp"
