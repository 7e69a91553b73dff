# sio_demo: `make run` is all it takes, `make help` lists the rest.
#
# CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS are yours: what you set is used last and wins.

ifeq ($(origin CXX),default)
CXX := $(shell command -v g++ >/dev/null 2>&1 || ! command -v clang++ >/dev/null 2>&1 && echo g++ || echo clang++)
endif
export CXX CPPFLAGS CXXFLAGS LDFLAGS LDLIBS

COMPILE = $(CXX) -std=c++20 -pthread -I.
YOURS   = $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)

# Tests: every warning we know of is an error, in our code; what -I in CPPFLAGS brings is somebody else's.
STRICT  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Werror
TESTING = $(STRICT) $(subst -I,-isystem ,$(CPPFLAGS)) $(CXXFLAGS)

# g++ needs both run-time libraries inside the program, or UBSan writes its reports past the log of ASan.
ASAN    = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g \
          $(if $(findstring clang,$(CXX)),,-static-libasan -static-libubsan)

UNIT         := $(patsubst tests/unit/%.cpp,%.o,$(wildcard tests/unit/*.cpp))
UNIT_HEADERS := sio_demo.hpp $(wildcard tests/unit/*.hpp)
PROGRAMS     := $(patsubst tests/e2e/%.cpp,%,$(wildcard tests/e2e/*.cpp))

.PHONY: run test test-sanitize fuzz abuse matrix storm bench setup setup-test clean help
.DELETE_ON_ERROR:

sio_demo: main.cpp sio_demo.hpp  ## build the demo (the default)
	@tests/setup build
	$(COMPILE) -O2 main.cpp -o $@ $(YOURS) $(LDLIBS)

run: sio_demo                    ## build and start it; flags: make run ARGS="--port 5000"
	@exec ./sio_demo $(ARGS)

test: setup-test                 ## run every suite, close with counts; some: make test SUITES="unit e2e"
	@python3 tests/run.py $(SUITES)

test-sanitize: setup-test        ## the unit, e2e, cluster, browser, storm and abuse suites under AddressSanitizer and UBSan
	@python3 tests/run.py --sanitize $(SUITES)

fuzz: build/fuzz/fuzz            ## look for bugs with libFuzzer; some: make fuzz TARGETS="http packet" SECONDS=600
	@python3 tests/fuzz/run.py --seconds $(or $(SECONDS),60) $(TARGETS)

abuse: setup-test                ## attack a server of ours in 130 ways, a line each; make abuse ARGS="--only 40-48 --official"
	@$(MAKE) --no-print-directory build/abuse_target sio_demo && node tests/abuse/run.js $(ARGS)

bench: setup-test                ## measure ours beside the official server, and what a build costs; some: make bench ARGS="--cases echo-1000,paced-64 --rounds 5"
	@$(MAKE) --no-print-directory build/bench_server build/load && python3 tests/bench/bench.py $(ARGS)

matrix: setup-test               ## build and try the demo by every compiler that can be had; some: make matrix ARGS="clang windows"
	@python3 tests/matrix/run.py $(ARGS)

storm: build/storm build/storm_server  ## throw storms of clients at a server; some: make storm ARGS="churn jitter"
	@python3 tests/bench/storm.py $(ARGS)

setup:                           ## install what the build lacks, nothing when all is there
	@tests/setup build

setup-test:                      ## install what the tests lack, nothing when all is there
	@tests/setup test

clean:                           ## remove what was built
	rm -rf sio_demo build

help:                            ## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# ---- What the tests and the benchmark run ----------------------------------------------------------

build/bench_server: tests/bench/server.cpp sio_demo.hpp | build
	@tests/setup build
	$(COMPILE) -O2 -DNDEBUG $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/load: tests/bench/load.cpp | build
	$(COMPILE) -O2 $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/storm: tests/bench/storm.cpp | build
	$(COMPILE) -O2 $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/storm_server: tests/bench/storm_server.cpp sio_demo.hpp | build
	@tests/setup build
	$(COMPILE) -O2 -DNDEBUG $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/sanitize/storm_server: tests/bench/storm_server.cpp sio_demo.hpp | build/sanitize
	$(COMPILE) $(ASAN) $< -o $@ $(YOURS) $(LDLIBS)

$(PROGRAMS:%=build/%): build/%: tests/e2e/%.cpp sio_demo.hpp | build
	$(COMPILE) -O1 $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/abuse_target: tests/abuse/target.cpp sio_demo.hpp | build
	$(COMPILE) -O1 $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/unit_tests: $(UNIT:%=build/unit/%)
	$(COMPILE) $^ -o $@ $(CXXFLAGS) $(LDFLAGS) $(LDLIBS)

build/unit/%.o: tests/unit/%.cpp $(UNIT_HEADERS) | build/unit
	$(COMPILE) -O1 $(TESTING) -c $< -o $@

build/sanitize/sio_demo: main.cpp sio_demo.hpp | build/sanitize
	$(COMPILE) $(ASAN) main.cpp -o $@ $(YOURS) $(LDLIBS)

$(PROGRAMS:%=build/sanitize/%): build/sanitize/%: tests/e2e/%.cpp sio_demo.hpp | build/sanitize
	$(COMPILE) $(ASAN) $< -o $@ $(YOURS) $(LDLIBS)

build/sanitize/abuse_target: tests/abuse/target.cpp sio_demo.hpp | build/sanitize
	$(COMPILE) $(ASAN) $< -o $@ $(YOURS) $(LDLIBS)

build/sanitize/unit_tests: $(UNIT:%=build/sanitize/unit/%)
	$(COMPILE) $(ASAN) $^ -o $@ $(CXXFLAGS) $(LDFLAGS) $(LDLIBS)

build/sanitize/unit/%.o: tests/unit/%.cpp $(UNIT_HEADERS) | build/sanitize/unit
	$(COMPILE) $(ASAN) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

# libFuzzer is clang's. What the standard library can check is a finding, too.
FUZZER = $(if $(findstring clang,$(CXX)),$(CXX),clang++) $(filter-out $(CXX),$(COMPILE)) $(filter-out -static-%,$(ASAN)) -fsanitize=fuzzer -D_GLIBCXX_ASSERTIONS
build/fuzz/fuzz: tests/fuzz/fuzz.cpp $(wildcard tests/fuzz/*.hpp) sio_demo.hpp | build/fuzz
	@tests/setup fuzz
	$(FUZZER) $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build build/unit build/sanitize build/sanitize/unit build/fuzz:
	@mkdir -p $@
